"""Preprocessing: from 8-bit pixels to the inputs of a model."""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.typing import Pixels


@dataclass(frozen=True)
class Preprocess:
    r"""From the 8-bit pixels of a file to what a model takes: $(x / 255 - \mu) / \sigma$.

    `size` is (height, width); `channels` 3 (RGB) or 1 (grey, ITU-R 601 weights). `fit` "stretch"
    ignores the aspect ratio, "crop" keeps it and cuts the centre. Files are resized on the host
    before they reach the device; pixels of another size given here are resized on the device.
    """

    size: tuple[int, int] = (224, 224)
    channels: Literal[1, 3] = 3
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    fit: Literal["stretch", "crop"] = "stretch"
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"

    def __call__(self, pixels: Pixels) -> Float[Array, "height width channels"]:
        x = jnp.asarray(pixels).astype(jnp.float32)
        if x.shape[-1] == 3 and self.channels == 1:
            x = (x @ jnp.array([0.299, 0.587, 0.114], jnp.float32))[..., None]
        if x.shape[:-1] != self.size:
            method = "linear" if self.interpolation == "bilinear" else "cubic"
            x = jax.image.resize(x, (*self.size, x.shape[-1]), method, antialias=True)
        mean = jnp.array(self.mean, jnp.float32).reshape(1, 1, -1)
        std = jnp.array(self.std, jnp.float32).reshape(1, 1, -1)
        return (x / 255 - mean) / std
