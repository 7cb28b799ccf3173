"""Resizing of maps: bicubic as Pillow's, antialiased reduction, masks on a map's grid."""

from math import ceil, floor

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Num

from salix.metrics.inputs import as_share
from salix.typing import AnyArray, InputError, Map, ReferenceMask

BITS = 22  # of the fixed-point weights that Pillow resizes 8-bit images with


def enlarge(map: Map, side: int) -> Num[Array, "side side"]:
    """Return a map [h w] enlarged bicubically to [side side], in its own type.

    Columns first, then rows, with the kernel of Keys (1981), a = -0.5, cut and renormalised at the
    edges, as Pillow does, and with its fixed-point arithmetic for 8-bit maps. A map of that side
    is returned unchanged. Raises `InputError` for a map of other than two axes or one larger than
    `side`.
    """
    if map.ndim != 2 or max(map.shape) > side:
        raise InputError(f"a map of shape {map.shape} cannot be enlarged to {side} x {side}")
    if map.shape == (side, side):
        return jnp.asarray(map)
    rows, columns = (_bicubic_weights(n, side) for n in map.shape)
    if map.dtype != jnp.uint8:
        x = jnp.asarray(map)
        wide = x @ jnp.asarray(columns.T, x.dtype)
        return jnp.clip(jnp.asarray(rows, x.dtype) @ wide, 0, 1)
    wide = _round_to_8_bit(jnp.asarray(map).astype(jnp.int32) @ _fixed_point(columns).T)
    return _round_to_8_bit(_fixed_point(rows) @ wide).astype(jnp.uint8)


def resize_mask(reference_mask: ReferenceMask, map: Map) -> Map:
    """Return a reference mask as shares in [0, 1] on a map's grid, by antialiased linear resizing.

    Raises `InputError` where it has another number of axes than the map.
    """
    if reference_mask.ndim != map.ndim:
        raise InputError(
            f"the reference mask has shape {reference_mask.shape} and the map {map.shape}: "
            "both need the same number of axes"
        )
    share = as_share(reference_mask)
    return jnp.clip(jax.image.resize(share, map.shape, "linear", antialias=True), 0, 1)


def shrink(map: Map, side: int = 64) -> Float[AnyArray, "*small"]:
    """Average a map down until its longest side is at most `side`; a smaller one is unchanged."""
    ratio = side / max(map.shape)
    if ratio >= 1:
        return map
    shape = tuple(ceil(length * ratio) for length in map.shape)
    return jnp.clip(jax.image.resize(map, shape, "linear", antialias=True), 0, 1)


def _fixed_point(weights: np.ndarray) -> Int[Array, "target source"]:
    # Away from zero at a half, as a C cast of x + 0.5 does for both signs in Pillow.
    integers = np.trunc(weights * 2**BITS + np.copysign(0.5, weights))
    return jnp.asarray(integers.astype(np.int32))


def _round_to_8_bit(sums: Int[Array, "h w"]) -> Int[Array, "h w"]:
    return jnp.clip((sums + 2 ** (BITS - 1)) >> BITS, 0, 255)


def _bicubic_weights(source: int, target: int) -> Float[np.ndarray, "target source"]:
    """Return the weights of `source` positions along an axis for each of `target` positions."""
    weights, ratio = np.zeros((target, source)), source / target
    for position in range(target):
        centre = (position + 0.5) * ratio
        first, last = max(0, floor(centre - 2 + 0.5)), min(source, floor(centre + 2 + 0.5))
        t = np.abs(np.arange(first, last) + 0.5 - centre)
        near = (1.5 * t - 2.5) * t * t + 1
        far = ((-0.5 * t + 2.5) * t - 4) * t + 2
        kernel = np.where(t < 1, near, np.where(t < 2, far, 0))
        weights[position, first:last] = kernel / kernel.sum()
    return weights
