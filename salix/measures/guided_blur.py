"""Blur of an image by a level of its own for each pixel, guided by a salience map."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from salix.metrics import to_8_bit
from salix.metrics.resizing import enlarge
from salix.perturb.blur_kernels import BASIS, BLURRING, LEVELS, basis_weights
from salix.perturb.blurs import Planes, blur_planes, fold_levels
from salix.typing import Map

SMOOTH = 5.0  # sigma, in pixels, of the smoothing of the enlarged map
STRENGTHS = np.geomspace(0.5, 6, 16)  # candidate factors of the levels
# The level of a grey value (column) in a map of a maximum (row) as released, in 64 bits: an eighth
# of all maxima have values half-way between two levels, which 32 bits may round the other way.
GREY = np.arange(256)
RELEASED = (100 - np.rint(10 * np.around(GREY / (np.maximum(GREY, 1)[:, None] / 10), 1))).astype(
    np.int32
)
LATTICE = 56  # pixels a side that the search for a factor samples
SPARE = 1.1  # margin of the search for what the lattice misses

BlurLevels = Int[Array, "*conditions h w"]  # a level of `salix.perturb.blur_kernels` for each pixel
BlurredImages = Float[Array, "conditions c h w"]


def blur_levels(map: Map, side: int, *, invert: bool, eight_bit: bool) -> BlurLevels:
    """Return the blur level of every pixel, 100 - round(100 S / max S), of the map or 1 - map."""
    large = enlarge(to_8_bit(map) if eight_bit else map, side).astype(jnp.float32)
    if invert:
        large = (255 if eight_bit else 1) - large
    smooth = blur_planes(large[None], SMOOTH, eight_bit=eight_bit)[0]
    maximum = smooth.max()
    if eight_bit:
        return jnp.asarray(RELEASED)[maximum.astype(jnp.int32)][smooth.astype(jnp.int32)]
    relative = 100 * smooth / jnp.where(maximum > 0, maximum, 1)
    return LEVELS - 1 - jnp.round(relative).astype(jnp.int32)


def blur_by_levels(
    planes: Planes, levels: BlurLevels, *, change: float | None, eight_bit: bool
) -> tuple[BlurredImages, BlurredImages]:
    """Return the image of each condition, every pixel blurred by its level, and its difference.

    With a mean absolute `change`, in grey levels, the blur levels are multiplied by the smallest
    of 16 factors that reaches it, and the result is mixed with the image to meet it.
    """
    if change is not None:
        factors = _search_factors(planes, levels, change, eight_bit)
        levels = _multiply_levels(levels, factors)
    images = _apply_levels(planes, levels, eight_bit)
    difference = images - planes[None]
    if change is None:
        return images, difference
    reached = jnp.abs(difference).mean((1, 2, 3), keepdims=True)
    share = jnp.minimum(1, change / jnp.where(reached > 0, reached, jnp.inf))
    difference = difference * share
    mixed = planes[None] + difference
    if not eight_bit:
        return mixed, difference
    images = jnp.floor(mixed)
    return images, images - planes[None]


def _multiply_levels(levels: Int[Array, "..."], factors: Float[Array, "..."]) -> Int[Array, "..."]:
    stronger = jnp.round(levels.astype(jnp.float32) * factors).astype(jnp.int32)
    return jnp.minimum(stronger, LEVELS - 1)


def _apply_levels(planes: Planes, levels: BlurLevels, eight_bit: bool) -> BlurredImages:
    """Return every pixel at its own level: exact with 8 bits, else a sum of the basis."""
    if eight_bit:

        def choose(images: Array, level: Array, blurred: Planes) -> Array:
            return jnp.where((levels == level)[:, None], blurred[None], images)

        unchanged = jnp.repeat(planes[None], levels.shape[0], 0)
        return fold_levels(planes, choose, unchanged, eight_bit=True)
    weights, rows = jnp.asarray(basis_weights(), planes.dtype), jnp.asarray(_bank_rows(BASIS))

    def add(images: Array, level: Array, blurred: Planes) -> Array:
        return images + weights[:, rows[level]][levels][:, None] * blurred[None]

    unblurred = weights[:, 0][levels][:, None] * planes[None]
    return fold_levels(planes, add, unblurred, levels=BASIS)


def _search_factors(
    planes: Planes, levels: BlurLevels, change: float, eight_bit: bool
) -> Float[Array, "conditions 1 1"]:
    """Return the smallest factor of each condition that changes pixels by `change` on average.

    The last where none does. A level changes a pixel alike in all conditions and factors, so that
    one fold over the bank evaluates them all, on a lattice of about 3000 pixels, with a margin of
    a tenth for its error.
    """
    stride = max(1, planes.shape[1] // LATTICE)
    factors = jnp.asarray(STRENGTHS, planes.dtype)
    sampled = planes[:, ::stride, ::stride]
    candidates = _multiply_levels(levels[:, None, ::stride, ::stride], factors.reshape(1, -1, 1, 1))
    candidates = candidates.reshape(*candidates.shape[:2], -1)
    blurs = _sample_levels(planes, sampled, eight_bit, stride)
    changes = jnp.abs(blurs - sampled[None]).mean(1).reshape(LEVELS, -1)
    flat = candidates * changes.shape[1] + jnp.arange(changes.shape[1]).reshape(1, 1, -1)
    sums = changes.ravel().at[flat].get(mode="promise_in_bounds").sum(-1)
    enough = sums / changes.shape[1] >= SPARE * change
    first = jnp.where(enough.any(1), enough.argmax(1), factors.size - 1)
    return factors[first].reshape(-1, 1, 1)


def _bank_rows(blurring: tuple[int, ...]) -> Int[np.ndarray, " levels"]:
    """Return each level's row in a bank of the image, for levels without a blur, and its blurs."""
    return np.searchsorted(blurring, np.arange(LEVELS), side="right")


def _sample_levels(
    planes: Planes, sampled: Planes, eight_bit: bool, stride: int
) -> Float[Array, "levels c h w"]:
    """Return the sampled pixels at every level."""
    blurring, weights = (BLURRING, None) if eight_bit else (BASIS, basis_weights())
    rows = _bank_rows(blurring)

    def write(bank: Array, level: Array, blurred: Planes) -> Array:
        return bank.at[jnp.asarray(rows)[level]].set(blurred)

    bank = jnp.repeat(sampled[None], 1 + len(blurring), 0)
    bank = fold_levels(planes, write, bank, levels=blurring, eight_bit=eight_bit, stride=stride)
    if weights is None:
        return bank[rows]
    basis = jnp.asarray(weights, planes.dtype)
    return jnp.tensordot(basis, bank, 1, precision=lax.Precision.HIGHEST)
