"""Images whose pixels replace removed ones in metrics: the fills, and those of released codes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from salix.hyperparameters import Hyperparameter, check_value, choice, either, number, several
from salix.perturb.fills import FILLS, fill_image
from salix.typing import Image, InputError, PRNGKey, ScoreLike, as_score

REPLACEMENTS = (*FILLS, "kernel")
NAMES = (*FILLS, "white", "uniform", "minimum", "kernel")
SIDE, SIGMA = 11, 5  # of the kernel that RISE's insertion blurs with

Replacement = str | float | int | tuple[float | int, ...]
FILL: Hyperparameter = either(
    choice(NAMES),
    either(number(), several(number(), remedy=""), remedy=""),
    remedy=f"choose one of {', '.join(NAMES)}, or give a finite number, or one for each channel",
)


def replacement_image(fill: Replacement, score: ScoreLike, image: Image, key: PRNGKey) -> Image:
    """Return the image whose pixels replace removed ones, of the shape and type of `image`.

    `fill` is "blur", "mean" or "noise" as `fill_image` makes them; "black" or "white", the values
    of the `Score` (0 and 1 for a plain function); "uniform", random between these two for each
    pixel and channel; "minimum", the lowest value of the image; "kernel", the blur of RISE's
    released code; or values in the image's units, one number or one a channel. Raises `InputError`
    for another fill, and for another number of channels.
    """
    fill = check_value("fill", fill, FILL)
    image = jnp.asarray(image)
    described = as_score(score)
    if fill == "minimum":
        return jnp.broadcast_to(image.min(), image.shape)
    if fill == "uniform":
        black = _channel_values(described.black, image)
        white = _channel_values(described.white, image)
        return black + (white - black) * jax.random.uniform(key, image.shape, image.dtype)
    if isinstance(fill, str) and fill not in ("black", "white"):
        return replace_pixels(image, key, fill)
    values = {"black": described.black, "white": described.white}.get(fill, fill)  # type: ignore
    return jnp.broadcast_to(_channel_values(values, image), image.shape)


def replace_pixels(image: Image, key: PRNGKey, fill: str, *, black: Any = 0.0) -> Image:
    """Return an image whose pixels replace removed ones, by a name of `REPLACEMENTS`.

    As `fill_image`; and "kernel", the image blurred as the released code of RISE does, by 11 pixels
    along each axis with zeros beyond the edges. Raises `InputError` for another `fill`.
    """
    if check_value("fill", fill, choice(REPLACEMENTS)) != "kernel":
        return fill_image(image, key, fill, black=black)
    x, weights = jnp.asarray(image), rise_kernel()
    for axis in range(x.ndim - 1):
        side = x.shape[axis]
        offset = np.arange(side)[:, None] - np.arange(side) + SIDE // 2
        inside = (offset >= 0) & (offset < SIDE)
        matrix = np.where(inside, weights[np.clip(offset, 0, SIDE - 1)], 0)
        blurred = jnp.tensordot(
            jnp.asarray(matrix, x.dtype), x, (1, axis), precision=lax.Precision.HIGHEST
        )
        x = jnp.moveaxis(blurred, 0, axis)
    return x


def rise_kernel() -> Float[np.ndarray, " side"]:
    """Return the released weights along one axis: an impulse of 11 pixels blurred with sigma 5.

    The blur mirrors its tails at the ends of the 11 pixels, so that the kernel is nearly flat.
    """
    offset = np.arange(-4 * SIGMA, 4 * SIGMA + 1)
    gauss = np.exp(-(offset**2) / (2 * SIGMA**2))
    place = (offset + SIDE // 2) % (2 * SIDE)  # of a period of the mirrored pixels
    mirrored = np.where(place < SIDE, place, 2 * SIDE - 1 - place)
    return np.bincount(mirrored, gauss / gauss.sum(), SIDE)


def _channel_values(values: Any, image: Array) -> Array:
    """Return one number, or one a channel, with the axes of an image."""
    flat = jnp.asarray(values, image.dtype).reshape(-1)
    if flat.size not in (1, image.shape[-1]):
        raise InputError(
            f"fill has {flat.size} numbers and the image {image.shape[-1]} channels: give one "
            "number, or one for each channel"
        )
    return flat.reshape((1,) * (image.ndim - 1) + (-1,))
