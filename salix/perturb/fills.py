"""Replacement images for removed pixels: blur, mean, black and noise."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from salix.typing import Image, InputError, PRNGKey

FILLS = ("blur", "mean", "black", "noise")
WIDTH = 1 / 20  # sigma of the blur, as a share of each side


def fill_image(image: Image, key: PRNGKey, fill: str, *, black: Any = 0.0) -> Image:
    """Return an image whose pixels replace removed ones.

    "blur" blurs the image by a Gaussian of a twentieth of each side, "mean" is each channel's
    mean, "black" the value `black` (one number, or one a channel), and "noise" normal noise with
    each channel's mean and deviation. Raises `InputError` for another `fill`.
    """
    x = jnp.asarray(image)
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes, keepdims=True)
    match fill:
        case "mean":
            return jnp.broadcast_to(mean, x.shape)
        case "black":
            values = jnp.asarray(black, x.dtype).reshape(*(1 for _ in axes), -1)
            return jnp.broadcast_to(values, x.shape)
        case "noise":
            noise = jax.random.normal(key, x.shape, x.dtype)
            return mean + x.std(axes, keepdims=True) * noise
        case "blur":
            for axis in axes:
                side = x.shape[axis]
                position = jnp.arange(side, dtype=x.dtype)
                distance = (position[:, None] - position[None]) / (WIDTH * side)
                weights = jnp.exp(-(distance**2) / 2)  # positions beyond an edge have none
                matrix = weights / weights.sum(1, keepdims=True)
                blurred = jnp.tensordot(matrix, x, (1, axis), precision=lax.Precision.HIGHEST)
                x = jnp.moveaxis(blurred, 0, axis)
            return x
    raise InputError(f"fill is {fill!r}: choose one of {', '.join(FILLS)}")
