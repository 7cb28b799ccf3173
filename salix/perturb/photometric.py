"""Photometric transforms of an image of 8-bit grey levels, as Pillow defines them.

Levels [h w c] are whole floats from 0 to 255, with one channel or three (RGB); so is the result.
Functions with a `factor` interpolate from a degenerate image (0) to the original (1), or beyond it
(above 1). Borders into which a filter's kernel does not fit stay unchanged.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from salix.typing import AnyArray, InputError, Number

Levels = Float[AnyArray, "h w c"]
LUMA = (19595, 38470, 7471)  # ITU-R 601 weights of red, green and blue, times 2^16
SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]])
BLUR = np.pad(np.zeros((3, 3), int), 1, constant_values=1)


def brightness(levels: Levels, factor: Number) -> Levels:
    """Blend with black (`ImageEnhance.Brightness`)."""
    return _blend(jnp.zeros_like(levels), levels, factor)


def colour(levels: Levels, factor: Number) -> Levels:
    """Blend with the image in grey (`ImageEnhance.Color`)."""
    return _blend(jnp.broadcast_to(grey(levels), levels.shape), levels, factor)


def contrast(levels: Levels, factor: Number) -> Levels:
    """Blend with the rounded mean of the image in grey (`ImageEnhance.Contrast`)."""
    luma = grey(levels).astype(jnp.int32)
    # In whole numbers: a sum of 32-bit floats would lose the half that decides the rounding.
    mean = ((2 * luma.sum() + luma.size) // (2 * luma.size)).astype(levels.dtype)
    return _blend(jnp.full_like(levels, mean), levels, factor)


def sharpness(levels: Levels, factor: Number) -> Levels:
    """Blend with the smoothed image (`ImageEnhance.Sharpness`)."""
    return _blend(smooth(levels), levels, factor)


def autocontrast(levels: Levels) -> Levels:
    """Stretch each channel's levels to the whole range (`ImageOps.autocontrast`).

    Pillow is one level lower where 64-bit rounding puts a whole number below itself.
    """
    integers = jnp.asarray(levels).astype(jnp.int32)
    low, high = integers.min((0, 1), keepdims=True), integers.max((0, 1), keepdims=True)
    stretched = (integers - low) * 255 // jnp.maximum(high - low, 1)
    return jnp.where(high > low, stretched, integers).astype(levels.dtype)


def equalize(levels: Levels) -> Levels:
    """Make each channel's histogram as flat as its levels allow (`ImageOps.equalize`)."""
    integers = jnp.asarray(levels).astype(jnp.int32)
    channel = jnp.broadcast_to(jnp.arange(integers.shape[-1]).reshape(1, 1, -1), integers.shape)
    counts = jnp.zeros((integers.shape[-1], 256), jnp.int32).at[channel, integers].add(1)
    below = jnp.cumsum(counts, 1) - counts
    top = jnp.take_along_axis(counts, integers.max((0, 1)).reshape(-1, 1), 1)
    step = (integers.shape[0] * integers.shape[1] - top) // 255
    table = jnp.clip((step // 2 + below) // jnp.maximum(step, 1), 0, 255)
    table = jnp.where(step > 0, table, jnp.arange(256).reshape(1, -1))
    return table[channel, integers].astype(levels.dtype)


def smooth(levels: Levels) -> Levels:
    """Average with the eight neighbours, the centre five times (`ImageFilter.SMOOTH`)."""
    return _filter(levels, SMOOTH)


def blur(levels: Levels) -> Levels:
    """Average the ring of sixteen pixels two away (`ImageFilter.BLUR`)."""
    return _filter(levels, BLUR)


def grey(levels: Levels) -> Float[Array, "h w 1"]:
    """Return the levels of the image in grey, with the rounding of `Image.convert("L")`.

    Raises `InputError` for other than one or three channels.
    """
    x = jnp.asarray(levels)
    if x.shape[-1] == 1:
        return x
    if x.shape[-1] != 3:
        raise InputError(f"an image with {x.shape[-1]} channels has no grey: give 1 or 3 (RGB)")
    weights = jnp.array(LUMA, jnp.int32).reshape(1, 1, -1)
    total = (x.astype(jnp.int32) * weights).sum(-1, keepdims=True)
    return ((total + 2**15) >> 16).astype(x.dtype)


def _blend(degenerate: Levels, levels: Levels, factor: Number) -> Levels:
    mixed = degenerate + jnp.asarray(factor, levels.dtype) * (levels - degenerate)
    return jnp.floor(jnp.clip(mixed, 0, 255))


def _filter(levels: Levels, kernel: np.ndarray) -> Levels:
    """Average by a kernel of whole weights, rounded half up, inside the border."""
    integers, reach = jnp.asarray(levels).astype(jnp.int32), kernel.shape[0] // 2
    height, width = integers.shape[0] - 2 * reach, integers.shape[1] - 2 * reach
    if min(height, width) < 1:
        return levels
    total = sum(
        int(kernel[row, column]) * integers[row : row + height, column : column + width]
        for row, column in np.argwhere(kernel)
    )
    size = int(kernel.sum())
    inner = (2 * total + size) // (2 * size)
    return integers.at[reach:-reach, reach:-reach].set(inner).astype(levels.dtype)
