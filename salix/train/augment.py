"""Random augmentation of training images together with their reference masks."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.preprocess import Preprocess
from salix.typing import Image, InputError, PRNGKey, ReferenceMask, Scalar


@dataclass(frozen=True)
class Augment:
    r"""Random horizontal flip, shift, crop, brightness and contrast.

    `flip` is the probability of a mirror image. A window of a side drawn from [`crop`, 1], at a
    position drawn from all within the image and then moved by up to `shift` on each axis, is
    resized bilinearly to the full image; both are shares of the image's side, and pixels outside
    repeat the edge. The reference mask is transformed likewise, on its own grid. Values in [0, 1]
    become $c\,(x - \bar x) + \bar x + b$, clipped to [0, 1], with b within `brightness` of 0 and c
    within `contrast` of 1. A setting of 0 (1 for `crop`) changes nothing, to the last bit.
    """

    flip: float = 0.5
    shift: float = 0.0
    crop: float = 1.0
    brightness: float = 0.0
    contrast: float = 0.0

    def __post_init__(self):
        ranges = {"flip": (0, 1), "shift": (0, 1), "brightness": (0, 1), "contrast": (0, 1)}
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise InputError(f"{name} is {getattr(self, name)}: give a number in [0, 1]")
        if not 0 < self.crop <= 1:
            raise InputError(
                f"crop is {self.crop}: give the smallest side of the window, in (0, 1]"
            )

    def __call__(
        self, image: Image, mask: ReferenceMask | None, preprocess: Preprocess, key: PRNGKey
    ) -> tuple[Image, ReferenceMask | None]:
        """Return a preprocessed image and its reference mask, augmented by draws from `key`."""
        flip_key, window_key, light_key = jax.random.split(key, 3)
        image = jnp.asarray(image)
        if self.flip:
            flipped = jax.random.bernoulli(flip_key, self.flip)
            image = jnp.where(flipped, image[:, ::-1], image)
            mask = None if mask is None else jnp.where(flipped, mask[:, ::-1], mask)
        if self.shift or self.crop < 1:
            side, corner = self.draw_window(window_key)
            image = _resized_window(image, side, corner)
            if mask is not None:
                mask = _resized_window(mask[..., None], side, corner)[..., 0]
        if self.brightness or self.contrast:
            image = self._adjust_light(image, preprocess, light_key)
        return image, mask

    def draw_window(self, key: PRNGKey) -> tuple[Scalar, Float[Array, "2"]]:
        """Return the side of a random window and its top left corner, as shares of the image."""
        draws = jax.random.uniform(key, (5,))
        side = self.crop + (1 - self.crop) * draws[0]
        return side, draws[1:3] * (1 - side) + self.shift * (2 * draws[3:5] - 1)

    def _adjust_light(self, image: Image, preprocess: Preprocess, key: PRNGKey) -> Image:
        statistics = (preprocess.mean, preprocess.std)
        mean, std = (jnp.array(v, jnp.float32).reshape(1, 1, -1) for v in statistics)
        values = image * std + mean
        draws = jax.random.uniform(key, (2,), minval=-1.0)
        centre = values.mean()
        values = (1 + self.contrast * draws[0]) * (values - centre) + centre
        return (jnp.clip(values + self.brightness * draws[1], 0, 1) - mean) / std


def _resized_window(image: Any, side: Scalar, corner: Float[Array, "2"]) -> Array:
    """Resize a window of an image [h w c] bilinearly to the image's size, as matrix products."""

    def weights(n: int, first: Scalar) -> Float[Array, "n n"]:  # [target, source]
        positions = jnp.arange(n, dtype=jnp.float32)
        sampled = jnp.clip((positions + 0.5) * side + first * n - 0.5, 0, n - 1)
        return jnp.maximum(0, 1 - jnp.abs(sampled[:, None] - positions[None]))

    rows, columns = weights(image.shape[0], corner[0]), weights(image.shape[1], corner[1])
    exact = jax.lax.Precision.HIGHEST  # else the images would be rounded on some devices
    return jnp.einsum("yh,hwc,xw->yxc", rows, image, columns, precision=exact)
