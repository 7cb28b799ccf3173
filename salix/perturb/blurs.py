"""Bank of Gaussian blurs of 101 levels, from none to a sigma of ten pixels.

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
BLOCK = 32  # pixels blurred by one product: more would multiply more zeros
STRIDES = (1, 2, 4, 8, 16, 32)  # divisors of a block
REACHES = (2, 5, 10, 20, 40)  # kernel radii, in pixels; levels of one radius share a loop
# Weights for 8-bit images are whole multiples of 2^-30, in two digits of 15 bits: their products
# are exact in 32 bits. Sums of the second digit may be off by some units of 2^-30, and a whole
# sum, as in flat areas, must not fall below.
DIGIT, DIGITS = 15, 2
ROUNDING = 2**10  # in units of 2^-30
CENTRE = 128
# Truncation depends on the sign of a difference from the centre, however small its weight. A weight
# of this size changes no value by a level either, and survives rounding.
SMALLEST_WEIGHT = 1e-3

Planes = Float[Array, "c h w"]
Windows = Float[Array, "c wide blocks window"]  # column windows, mirrored beyond all edges
Bands = Float[Array, "digits block window"]


def level_sigma(level: int) -> float:
    """Return the sigma of a level, in pixels."""
    return (1 / 10**3) * round(level / 10, 1) ** 4


def kernel_radius(sigma: float) -> int:
    """Return the radius of a kernel in pixels: four sigma, rounded."""
    return int(4 * sigma + 0.5)


def gaussian_kernel(sigma: float, reach: int) -> Float[np.ndarray, " taps"]:
    """Return the weights of a Gaussian over 2 reach + 1 pixels, zero beyond its own radius."""
    position, radius = np.arange(-reach, reach + 1), kernel_radius(sigma)
    if radius == 0:
        return (position == 0).astype(float)
    weights = np.where(np.abs(position) <= radius, np.exp(-0.5 / sigma**2 * position**2), 0)
    return weights / weights.sum()


def fixed_point_digits(weights: Float[np.ndarray, " taps"]) -> Float[np.ndarray, "digits taps"]:
    """Return weights that sum to 1 as two 15-bit digits, in units of 2^-30."""
    reach = weights.size // 2
    if 0 < weights[reach + 1] < SMALLEST_WEIGHT:
        weights = np.select([np.abs(np.arange(-reach, reach + 1)) == 1], [SMALLEST_WEIGHT], 0.0)
    integers = np.rint(weights * 2 ** (DIGIT * DIGITS)).astype(np.int64)
    integers[reach] += 2 ** (DIGIT * DIGITS) - integers.sum()  # flat areas keep their level
    return np.stack([integers >> DIGIT, integers & (2**DIGIT - 1)]).astype(float)


def blur_planes(planes: Planes, sigma: float, *, eight_bit: bool = False) -> Planes:
    """Blur every plane by one sigma; `eight_bit` as in `fold_levels`."""
    reach = kernel_radius(sigma)
    bands = _bands(jnp.asarray(_taps(sigma, reach, eight_bit), planes.dtype))
    return _blur_windows(_windows(planes, reach, eight_bit), bands, planes.shape)


def fold_levels(
    planes: Planes,
    add: Callable[[Any, Int[Array, ""], Planes], Any],
    initial: Any,
    *,
    eight_bit: bool = False,
    stride: int = 1,
) -> Any:
    """Fold `add(total, level, blurred planes)` over all levels that blur, in a scan.

    Blurred planes consist of every `stride`-th row and column, one of `STRIDES`.

    With `eight_bit` planes are whole grey levels, 0 to 255, and are truncated after each axis as
    SciPy does for 8-bit images: exactly, except that where all pixels under a kernel are equal
    SciPy may lose a level by the last bit of its weights, and this loses none. Levels 0 to 33 blur
    nothing. The 67 others take 1.4e9 multiplications for an image of 224 x 224 x 3, whatever `add`
    does: a third of a ResNet-50's pass; twice that with `eight_bit`.
    """
    total = initial
    radii = {level: kernel_radius(level_sigma(level)) for level in range(LEVELS)}
    blurring = [level for level in radii if radii[level] > 0]
    for reach, group in groupby(blurring, lambda b: min(r for r in REACHES if radii[b] <= r)):
        levels = np.array(list(group), np.int32)
        taps = np.stack([_taps(level_sigma(int(b)), reach, eight_bit) for b in levels])
        windows = _windows(planes, reach, eight_bit)  # the same for every level

        def step(
            total: Any, level_weights: tuple[Array, Array], windows: Windows = windows
        ) -> tuple[Any, None]:
            level, weights = level_weights
            bands = _bands(weights)[:, ::stride]
            return add(total, level, _blur_windows(windows, bands, planes.shape)), None

        total, _ = lax.scan(step, total, (jnp.asarray(levels), jnp.asarray(taps, planes.dtype)))
    return total


def _taps(sigma: float, reach: int, eight_bit: bool) -> Float[np.ndarray, "digits taps"]:
    weights = gaussian_kernel(sigma, reach)
    return fixed_point_digits(weights) if eight_bit else weights[None]


def _bands(taps: Float[Array, "digits taps"]) -> Bands:
    """Return the banded matrices: row i has the kernel from column i on."""
    # Rows repeated with a period one longer than the matrix is wide shift right by one each.
    rows = jnp.pad(taps, ((0, 0), (0, BLOCK)))
    width = rows.shape[1] - 1
    return jnp.tile(rows, (1, BLOCK))[:, : BLOCK * width].reshape(-1, BLOCK, width)


def _windows(planes: Planes, reach: int, eight_bit: bool) -> Windows:
    """Cut columns into blocks, each with the pixels within the kernel's reach to either side.

    The image is mirrored about all its edges first: blurred columns then mirror blurred columns.
    """
    margins = [(reach, reach + -side % BLOCK) for side in planes.shape[1:]]
    mirrored = jnp.pad(planes, ((0, 0), *margins), mode="symmetric")
    columns = jnp.swapaxes(mirrored - (CENTRE if eight_bit else 0), 1, 2)
    return _cut_blocks(columns, planes.shape[1], reach)


def _cut_blocks(lines: Float[Array, "c lines positions"], side: int, reach: int) -> Windows:
    slices = [slice(i, i + BLOCK + 2 * reach) for i in range(0, side, BLOCK)]
    return jnp.stack([lines[:, :, block] for block in slices], axis=2)


def _blur_windows(windows: Windows, bands: Bands, shape: tuple[int, ...]) -> Planes:
    """Blur windows of planes of a shape along the columns, then along the rows."""
    exact, reach = bands.shape[0] == DIGITS, (bands.shape[2] - BLOCK) // 2
    rows, columns = (-(-side * bands.shape[1] // BLOCK) for side in shape[1:])
    tall = jnp.swapaxes(_apply_bands(windows, bands)[:, :, :rows], 1, 2)
    wide = _apply_bands(_cut_blocks(tall, shape[2], reach), bands)[:, :, :columns]
    return wide + (CENTRE if exact else 0)


def _apply_bands(windows: Windows, bands: Bands) -> Float[Array, "c lines positions"]:
    """Return every line blurred; sums of two digits are rounded down to whole numbers."""
    sums = jnp.einsum("clbw,dpw->clbdp", windows, bands, precision=lax.Precision.HIGHEST)
    if bands.shape[0] == DIGITS:
        # Exact in floats too: conversion to integers would take longer.
        carried = jnp.floor((sums[..., 1, :] + ROUNDING) * 2.0**-DIGIT)
        blurred = jnp.floor((sums[..., 0, :] + carried) * 2.0**-DIGIT)
    else:
        blurred = sums[..., 0, :]
    return blurred.reshape(*windows.shape[:2], -1)
