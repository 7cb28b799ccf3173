"""Preprocessing: from 8-bit pixels to the inputs of a model, on the host and on the device.

Both sides take the same steps in this order: channels; crop and resize in one, antialiased, axis by
axis. Pillow rounds to 8 bits after each step, the device does not. Normalisation happens on the
device alone.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from salix import hyperparameters as hp
from salix.typing import InputError, Pixels

Fit = Literal["stretch", "crop"]
# Weights of red, green and blue in grey levels: ITU-R BT.601, as Pillow's mode L.
GREY = np.array([0.299, 0.587, 0.114])
Interpolation = Literal["bilinear", "bicubic", "lanczos", "box", "nearest"]


_SIDE = hp.integer(1)
_SIDES = hp.several(_SIDE, remedy="give height and width")


def _plain_size(value: Any) -> tuple[int, int]:
    try:
        side = _SIDE.plain(value)
    except ValueError:
        sides = _SIDES.plain(value)
        if len(sides) > 2:
            raise ValueError from None
        return sides[0], sides[-1]
    return side, side


SIZE = hp.Hyperparameter(_plain_size, "give one side in pixels, or height and width")
MEAN = hp.several(
    hp.number(lambda m: -1 <= m <= 1),
    remedy="give one number for each channel or one for all, of pixel values in [0, 1]: "
    "divide a mean of levels from 0 to 255 by 255",
)
STD = hp.several(
    hp.number(lambda s: 0 < s <= 1),
    remedy="give one number above 0 for each channel or one for all, of pixel values in [0, 1]: "
    "divide a deviation of levels from 0 to 255 by 255",
)


@dataclass(frozen=True)
class Preprocess:
    r"""Preprocessing of a model: 8-bit pixels to $(x / 255 - \mu) / \sigma$.

    `size` is (height, width), or the side of a square; `channels` 3 (RGB) or 1 (grey, ITU-R 601
    weights). `mean` and `std` are those of pixel values in [0, 1], one for each channel or one for
    all. `fit` "stretch" ignores the aspect ratio, "crop" keeps it and cuts the centre: as much of
    the image as has the aspect of `size`, or with `resize` the centre of `size` of the image whose
    shortest side has `resize` pixels, as torchvision's Resize and CenterCrop but in one step.
    `interpolation` is a filter of Pillow; all but "nearest" are antialiased.

    A sweep resizes files on the host with Pillow (`on_host`); calling a `Preprocess` does it on the
    device, where pixels still have another size. Both agree within the rounding to 8 bits. Raises
    `InputError` for values of another type or range.
    """

    size: tuple[int, int] = (224, 224)
    channels: Literal[1, 3] = 3
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    fit: Fit = "stretch"
    interpolation: Interpolation = "bilinear"
    resize: int | None = None

    def __post_init__(self) -> None:
        hp.check_fields(
            self,
            size=SIZE,
            mean=MEAN,
            std=STD,
            fit=hp.choice(get_args(Fit)),
            interpolation=hp.choice(get_args(Interpolation)),
            resize=hp.optional(hp.integer(1)),
        )
        hp.check_fields(
            self, channels=hp.Hyperparameter(_plain_channels, "give 3 for RGB, or 1 for grey")
        )
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) not in (1, self.channels):
                count = "one number" if self.channels == 1 else "one number, or 3"
                raise InputError(
                    f"{name} is {values}: images of {self.channels} channels take {count}"
                )
        if self.resize is not None and (self.fit != "crop" or self.resize < max(self.size)):
            raise InputError(
                f"resize is {self.resize}: with fit='crop', give the shortest side before the "
                f"crop, {max(self.size)} or more for a size of {self.size[0]} x {self.size[1]}"
            )

    def __call__(self, pixels: Pixels) -> Float[Array, "height width channels"]:
        levels = self._on_device(jnp.asarray(pixels))
        mean = jnp.array(self.mean, jnp.float32).reshape(1, 1, -1)
        std = jnp.array(self.std, jnp.float32).reshape(1, 1, -1)
        return (levels / 255 - mean) / std

    def normalised(self, value: float) -> tuple[float, ...]:
        """Return a pixel value in [0, 1] in the model's units, for each channel or for all."""
        channels = max(len(self.mean), len(self.std))
        mean, std = (np.broadcast_to(v, channels) for v in (self.mean, self.std))
        return tuple(((value - mean) / std).tolist())

    def box(self, height: int, width: int) -> tuple[float, float, float, float]:
        """Return the part of an image that is resized: left, top, right and bottom, in pixels."""
        if self.fit == "stretch":
            return 0, 0, width, height
        if self.resize is not None:
            ratio = min(height, width) / self.resize
            box_height, box_width = (ratio * side for side in self.size)
            left, top = (width - box_width) / 2, (height - box_height) / 2
            return left, top, left + box_width, top + box_height
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
        if image.size != self.size[::-1] or self.resize is not None:
            method = Image.Resampling[self.interpolation.upper()]
            image = image.resize(self.size[::-1], method, self.box(image.height, image.width))
        return np.asarray(image).reshape(*self.size, self.channels)

    def _on_device(self, pixels: Array) -> Float[Array, "height width channels"]:
        """Return pixels of any size as levels of `size` and `channels`, 0 to 255."""
        levels = _with_channels(pixels.astype(jnp.float32), self.channels)
        if levels.shape[:-1] == self.size and self.resize is None:
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
    return (levels @ jnp.asarray(GREY, jnp.float32))[..., None]


def _resize_axis(
    levels: Array, axis: int, low: float, high: float, length: int, interpolation: str
) -> Array:
    """Resample the part [low, high) of one axis to `length` levels, 0 to 255.

    Pixels beyond the part have the weights of the filter's tails, as in Pillow.
    """
    if interpolation in ("box", "nearest"):
        weights = _pixel_weights(levels.shape[axis], low, high, length, interpolation)
        exact = jax.lax.Precision.HIGHEST
        return jnp.moveaxis(jnp.tensordot(weights, levels, (1, axis), precision=exact), 0, axis)
    scale = length / (high - low)
    shape = (*levels.shape[:axis], length, *levels.shape[axis + 1 :])
    resized = jax.image.scale_and_translate(
        levels,
        shape,
        (axis,),
        jnp.array([scale], jnp.float32),
        jnp.array([-low * scale], jnp.float32),
        method={"bilinear": "linear", "bicubic": "cubic", "lanczos": "lanczos3"}[interpolation],
        antialias=True,
    )
    return jnp.clip(resized, 0, 255)  # cubic and Lanczos filters overshoot


def _pixel_weights(
    source: int, low: float, high: float, length: int, interpolation: str
) -> Float[Array, "length source"]:
    """Return the weights of whole pixels: the nearest one, or the mean of those in a window."""
    ratio = (high - low) / length
    centres = low + (np.arange(length)[:, None] + 0.5) * ratio
    pixels = np.arange(source)[None]
    if interpolation == "nearest":
        inside = pixels == np.clip(np.floor(centres), 0, source - 1)
    else:
        reach = max(ratio, 1) / 2
        offset = (pixels + 0.5 - centres) / (2 * reach)
        inside = (offset > -0.5) & (offset <= 0.5)
    return jnp.asarray(inside / np.maximum(inside.sum(1, keepdims=True), 1), jnp.float32)


def _plain_channels(value: Any) -> int:
    channels = hp.integer(1, 3).plain(value)
    if channels == 2:
        raise ValueError
    return channels
