"""Preprocessing: from 8-bit pixels to the inputs of a model, on the host and on the device.

Both sides take the same steps in this order: channels; crop and resize in one, antialiased, axis by
axis. Pillow rounds to 8 bits after each step, the device does not. Normalisation happens on the
device alone.
"""

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from salix.typing import Pixels


@dataclass(frozen=True)
class Preprocess:
    r"""Preprocessing of a model: 8-bit pixels to $(x / 255 - \mu) / \sigma$.

    `size` is (height, width); `channels` 3 (RGB) or 1 (grey, ITU-R 601 weights). `fit` "stretch"
    ignores the aspect ratio, "crop" keeps it and cuts the centre. A sweep resizes files on the host
    with Pillow (`on_host`); calling a `Preprocess` does it on the device, where pixels still have
    another size. Both agree within the rounding to 8 bits.
    """

    size: tuple[int, int] = (224, 224)
    channels: Literal[1, 3] = 3
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    fit: Literal["stretch", "crop"] = "stretch"
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"

    def __call__(self, pixels: Pixels) -> Float[Array, "height width channels"]:
        levels = self._on_device(jnp.asarray(pixels))
        mean = jnp.array(self.mean, jnp.float32).reshape(1, 1, -1)
        std = jnp.array(self.std, jnp.float32).reshape(1, 1, -1)
        return (levels / 255 - mean) / std

    def box(self, height: int, width: int) -> tuple[float, float, float, float]:
        """Return the part of an image that is resized: left, top, right and bottom, in pixels."""
        if self.fit == "stretch":
            return 0, 0, width, height
        aspect = self.size[1] / self.size[0]
        box_width = min(aspect * height, width)
        box_height = min(width / aspect, height)
        left, top = (width - box_width) / 2, (height - box_height) / 2
        return left, top, left + box_width, top + box_height

    def on_host(self, image: Any) -> Pixels:
        """Return a Pillow image as the 8-bit pixels [h w c] of `size` and `channels`."""
        from PIL import Image

        mode = "L" if self.channels == 1 else "RGB"
        image = image if image.mode == mode else image.convert(mode)
        if image.size != self.size[::-1]:
            method = Image.Resampling[self.interpolation.upper()]
            image = image.resize(self.size[::-1], method, self.box(image.height, image.width))
        return np.asarray(image).reshape(*self.size, self.channels)

    def _on_device(self, pixels: Array) -> Float[Array, "height width channels"]:
        """Return pixels of any size as levels of `size` and `channels`, 0 to 255."""
        levels = _with_channels(pixels.astype(jnp.float32), self.channels)
        if levels.shape[:-1] == self.size:
            return levels
        left, top, right, bottom = self.box(*levels.shape[:-1])
        levels = _resize_axis(levels, 1, left, right, self.size[1], self.interpolation)
        return _resize_axis(levels, 0, top, bottom, self.size[0], self.interpolation)


def _with_channels(levels: Array, channels: int) -> Array:
    """Return levels of RGB or grey as RGB or grey."""
    if levels.shape[-1] == channels:
        return levels
    if channels == 3:
        return jnp.repeat(levels, 3, axis=-1)
    return (levels @ jnp.array([0.299, 0.587, 0.114], jnp.float32))[..., None]


def _resize_axis(
    levels: Array, axis: int, low: float, high: float, length: int, interpolation: str
) -> Array:
    """Resample the part [low, high) of one axis to `length` levels, 0 to 255.

    Pixels beyond the part have the weights of the filter's tails, as in Pillow.
    """
    scale = length / (high - low)
    shape = (*levels.shape[:axis], length, *levels.shape[axis + 1 :])
    resized = jax.image.scale_and_translate(
        levels,
        shape,
        (axis,),
        jnp.array([scale], jnp.float32),
        jnp.array([-low * scale], jnp.float32),
        method="linear" if interpolation == "bilinear" else "cubic",
        antialias=True,
    )
    return jnp.clip(resized, 0, 255)  # a cubic filter overshoots
