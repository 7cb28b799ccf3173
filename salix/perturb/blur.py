"""A bank of Gaussian blurs, from none to a sigma of ten pixels, that conditions of a measure share.

A level b is a whole number from 0 to 100, and its sigma $(b / 10)^4 / 10^3$ pixels: the quartic
curve of Crum et al. (2023), arXiv:2303.11969. Kernels and edges are those of SciPy's
`gaussian_filter`: cut at four sigma, the image mirrored. Each axis is blurred block by block, as a
product with a banded matrix.
"""

from collections.abc import Callable
from itertools import groupby
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

LEVELS = 101
BLOCK = 32  # pixels that one product blurs: more would multiply more zeros
STRIDES = (1, 2, 4, 8, 16, 32)  # of the pixels of a block that may be asked for
REACHES = (2, 5, 10, 20, 40)  # pixels to either side, of the levels that share a loop
# Weights for 8-bit images are whole numbers of 2^-30, in two digits of 15 bits: their products are
# exact in 32 bits. Sums of the second digit may be off by some units of 2^-30, and a sum that is
# whole, as on flat ground, must not fall below.
DIGIT, DIGITS = 15, 2
ROUNDING = 2**10  # of 2^-30
CENTRE = 128
# Truncation sees the sign of a difference from the centre, however small its weight. A weight this
# large cannot move a value by a level either, and is not lost.
LEAST = 1e-3

Planes = Float[Array, "c h w"]
Windows = Float[Array, "c wide blocks window"]  # of columns, mirrored beyond all edges
Bands = Float[Array, "digits block window"]


def sigma_of(level: int) -> float:
    """Return the sigma of a level, in pixels."""
    return (1 / 10**3) * round(level / 10, 1) ** 4


def radius_of(sigma: float) -> int:
    """Return how many pixels a kernel reaches to either side: four sigma, rounded."""
    return int(4 * sigma + 0.5)


def kernel(sigma: float, reach: int) -> Float[np.ndarray, " taps"]:
    """Return the weights of a Gaussian over 2 reach + 1 pixels, zero beyond its own radius."""
    place, radius = np.arange(-reach, reach + 1), radius_of(sigma)
    if radius == 0:
        return (place == 0).astype(float)
    weights = np.where(np.abs(place) <= radius, np.exp(-0.5 / sigma**2 * place**2), 0)
    return weights / weights.sum()


def digits(weights: Float[np.ndarray, " taps"]) -> Float[np.ndarray, "digits taps"]:
    """Return weights that sum to 1 as two digits of whole numbers of 2^-30."""
    reach = weights.size // 2
    if 0 < weights[reach + 1] < LEAST:
        weights = np.select([np.abs(np.arange(-reach, reach + 1)) == 1], [LEAST], 0.0)
    whole = np.rint(weights * 2 ** (DIGIT * DIGITS)).astype(np.int64)
    whole[reach] += 2 ** (DIGIT * DIGITS) - whole.sum()  # flat ground keeps its level
    return np.stack([whole >> DIGIT, whole & (2**DIGIT - 1)]).astype(float)


def blur(planes: Planes, sigma: float, eight_bit: bool = False) -> Planes:
    """Blur every plane by one sigma; with `eight_bit` as `fold` does."""
    reach = radius_of(sigma)
    bands = _bands(jnp.asarray(_taps(sigma, reach, eight_bit), planes.dtype))
    return _blurred(_windows(planes, reach, eight_bit), bands, planes.shape)


def fold(
    planes: Planes,
    add: Callable[[Any, Int[Array, ""], Planes], Any],
    start: Any,
    eight_bit: bool = False,
    stride: int = 1,
) -> Any:
    """Fold `add(total, level, blurred planes)` over all levels that blur, in a scan.

    Blurred planes have every `stride`-th row and column alone, one of `STRIDES`.

    With `eight_bit` planes hold whole grey levels, 0 to 255, and are truncated after each axis as
    SciPy leaves 8-bit images: exactly, but that where all pixels under a kernel are equal SciPy
    loses a level or not by the last bit of its weights, and this loses none. Levels 0 to 33 blur
    nothing. The 67 others take 1.4e9 multiplications for an image of 224 x 224 x 3, whatever is
    done with them: a third of a ResNet-50's pass; twice that with `eight_bit`.
    """
    total = start
    blurring = [level for level in range(LEVELS) if radius_of(sigma_of(level)) > 0]
    for reach, group in groupby(blurring, _reach):
        levels = np.array(list(group), np.int32)
        taps = np.stack([_taps(sigma_of(int(b)), reach, eight_bit) for b in levels])
        windows = _windows(planes, reach, eight_bit)  # the same for every level

        def step(
            total: Any, of: tuple[Array, Array], windows: Windows = windows
        ) -> tuple[Any, None]:
            level, weights = of
            bands = _bands(weights)[:, ::stride]
            return add(total, level, _blurred(windows, bands, planes.shape)), None

        total, _ = lax.scan(step, total, (jnp.asarray(levels), jnp.asarray(taps, planes.dtype)))
    return total


def _reach(level: int) -> int:
    return min(reach for reach in REACHES if radius_of(sigma_of(level)) <= reach)


def _taps(sigma: float, reach: int, eight_bit: bool) -> Float[np.ndarray, "digits taps"]:
    weights = kernel(sigma, reach)
    return digits(weights) if eight_bit else weights[None]


def _bands(taps: Float[Array, "digits taps"]) -> Bands:
    """Return the matrices whose row i holds the kernel from column i on."""
    # A row repeated at a distance one longer than the matrix is wide moves right by one a row.
    rows = jnp.pad(taps, ((0, 0), (0, BLOCK)))
    width = rows.shape[1] - 1
    return jnp.tile(rows, (1, BLOCK))[:, : BLOCK * width].reshape(-1, BLOCK, width)


def _windows(planes: Planes, reach: int, eight_bit: bool) -> Windows:
    """Cut columns into blocks, each with what its kernel reaches to either side.

    The image is mirrored about all its edges first: blurred columns then mirror blurred columns.
    """
    beyond = [(reach, reach + -side % BLOCK) for side in planes.shape[1:]]
    mirrored = jnp.pad(planes, ((0, 0), *beyond), mode="symmetric")
    columns = jnp.swapaxes(mirrored - (CENTRE if eight_bit else 0), 1, 2)
    return _cut(columns, planes.shape[1], reach)


def _cut(lines: Float[Array, "c lines places"], side: int, reach: int) -> Windows:
    slices = [slice(at, at + BLOCK + 2 * reach) for at in range(0, side, BLOCK)]
    return jnp.stack([lines[:, :, at] for at in slices], axis=2)


def _blurred(windows: Windows, bands: Bands, shape: tuple[int, ...]) -> Planes:
    """Return planes of a shape, blurred down their columns and then along their rows."""
    exact, reach = bands.shape[0] == DIGITS, (bands.shape[2] - BLOCK) // 2
    rows, columns = (-(-side * bands.shape[1] // BLOCK) for side in shape[1:])
    tall = jnp.swapaxes(_summed(windows, bands)[:, :, :rows], 1, 2)
    wide = _summed(_cut(tall, shape[2], reach), bands)[:, :, :columns]
    return wide + (CENTRE if exact else 0)


def _summed(windows: Windows, bands: Bands) -> Float[Array, "c lines places"]:
    """Return every line blurred; of digits the whole numbers alone, rounded down."""
    sums = jnp.einsum("clbw,dpw->clbdp", windows, bands, precision=lax.Precision.HIGHEST)
    if bands.shape[0] == DIGITS:
        # In floats, which hold these numbers: to convert them to integers takes longer.
        carried = jnp.floor((sums[..., 1, :] + ROUNDING) * 2.0**-DIGIT)
        blurred = jnp.floor((sums[..., 0, :] + carried) * 2.0**-DIGIT)
    else:
        blurred = sums[..., 0, :]
    return blurred.reshape(*windows.shape[:2], -1)
