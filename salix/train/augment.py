"""Images changed at random while a model is trained, each reference mask along with its image."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.preprocess import Preprocess
from salix.typing import Image, InputError, PRNGKey, ReferenceMask, Scalar


@dataclass(frozen=True)
class Augment:
    r"""Mirrors an image left to right, shifts or crops it, and changes brightness and contrast.

    `flip` is the probability of a mirror image. A window of a side drawn from [`crop`, 1], at a
    place drawn from all within the image and then moved by up to `shift` on each axis, is resized
    bilinearly to the whole; both are shares of the image's side, and what lies outside repeats the
    edge. The reference mask goes along, on its own grid. Values of a file in [0, 1] become
    $c\,(x - \bar x) + \bar x + b$, cut to [0, 1], with b within `brightness` of 0 and c within
    `contrast` of 1. What is 0 (1 for `crop`) changes nothing, to the last bit.
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
            raise InputError(f"crop is {self.crop}: give the smallest side kept, in (0, 1]")

    def __call__(
        self, image: Image, reference_mask: ReferenceMask | None, to: Preprocess, key: PRNGKey
    ) -> tuple[Image, ReferenceMask | None]:
        """Return an image of `to`, and its reference mask, changed by what `key` draws."""
        turn, place, light = jax.random.split(key, 3)
        image = jnp.asarray(image)
        if self.flip:
            mirrored = jax.random.bernoulli(turn, self.flip)
            image = jnp.where(mirrored, image[:, ::-1], image)
            reference_mask = (
                reference_mask
                if reference_mask is None
                else jnp.where(mirrored, reference_mask[:, ::-1], reference_mask)
            )
        if self.shift or self.crop < 1:
            window = self._window(place)
            image = _cut(image, *window)
            reference_mask = (
                reference_mask
                if reference_mask is None
                else _cut(reference_mask[..., None], *window)[..., 0]
            )
        if self.brightness or self.contrast:
            image = self._light(image, to, light)
        return image, reference_mask

    def _window(self, key: PRNGKey) -> tuple[Scalar, Float[Array, "2"]]:
        """Return the side of the window, and its top and left corner."""
        draws = jax.random.uniform(key, (5,))
        side = self.crop + (1 - self.crop) * draws[0]
        return side, draws[1:3] * (1 - side) + self.shift * (2 * draws[3:5] - 1)

    def _light(self, image: Image, to: Preprocess, key: PRNGKey) -> Image:
        mean, std = (jnp.array(v, jnp.float32).reshape(1, 1, -1) for v in (to.mean, to.std))
        values = image * std + mean
        drawn = jax.random.uniform(key, (2,), minval=-1.0)
        centre = values.mean()
        values = (1 + self.contrast * drawn[0]) * (values - centre) + centre
        return (jnp.clip(values + self.brightness * drawn[1], 0, 1) - mean) / std


def _cut(image: Any, side: Scalar, corner: Float[Array, "2"]) -> Array:
    """Resize a window of an image [h w c] to the whole, by products: no gather, no scatter."""
    rows, columns = (_weights(n, side, corner[i]) for i, n in enumerate(image.shape[:2]))
    exact = jax.lax.Precision.HIGHEST  # else the images would be rounded on some devices
    return jnp.einsum("yh,hwc,xw->yxc", rows, image, columns, precision=exact)


def _weights(n: int, side: Scalar, first: Scalar) -> Float[Array, "n n"]:
    """Return how much each of n old places gives to each of n new ones."""
    places = jnp.arange(n, dtype=jnp.float32)
    at = jnp.clip((places + 0.5) * side + first * n - 0.5, 0, n - 1)
    return jnp.maximum(0, 1 - jnp.abs(at[:, None] - places[None]))
