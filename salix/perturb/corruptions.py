"""Image corruptions of rising severity: noise, blur and JPEG compression.

Each function takes (pixels in [0, 1], strength, key), with a strength that may be traced, so that
levels are scanned. Draws depend on the key alone: one key gives one noise field at every strength.
A `Corruption` draws it apart from applying it, so that a scan over levels draws once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from salix.hyperparameters import Hyperparameter, number, several
from salix.perturb.jpeg import jpeg
from salix.typing import Image, Number, PRNGKey, Scalar

REACH = 4  # standard deviations at which SciPy cuts the kernel of a blur


def salt_and_pepper(pixels: Image, amount: Number, key: PRNGKey) -> Image:
    """Replace a share `amount` of the values, each channel by itself, by 0 or 1 with equal odds.

    Amount 0 changes nothing, 1 replaces all. A larger amount also replaces all values that a
    smaller one does. The noise "s&p" of scikit-image's `random_noise`.
    """
    return _replace(pixels, amount, _draw_replacements(pixels, key))


def _draw_replacements(pixels: Image, key: PRNGKey) -> tuple[Array, Array]:
    """Return the amount from which on each value is replaced, and whether by 1."""
    position_key, colour_key = jax.random.split(key)
    threshold = jax.random.uniform(position_key, pixels.shape, jnp.float32)
    return threshold, jax.random.bernoulli(colour_key, 0.5, pixels.shape)


def _replace(pixels: Image, amount: Number, draw: tuple[Array, Array]) -> Image:
    threshold, salt = draw
    replaced = threshold < jnp.asarray(amount, jnp.float32)
    return jnp.where(replaced, salt.astype(pixels.dtype), pixels)


def gaussian_noise(pixels: Image, deviation: Number, key: PRNGKey) -> Image:
    """Add normal noise of a standard deviation in units of [0, 1], and clip to [0, 1].

    One draw is scaled by every deviation. The noise "gaussian" of scikit-image's `random_noise`.
    """
    return _add_noise(pixels, deviation, _draw_noise(pixels, key))


def _draw_noise(pixels: Image, key: PRNGKey) -> Array:
    return jax.random.normal(key, pixels.shape, pixels.dtype)


def _add_noise(pixels: Image, deviation: Number, noise: Array) -> Image:
    return jnp.clip(pixels + noise * jnp.asarray(deviation, pixels.dtype), 0, 1)


def gaussian_blur(pixels: Image, sigma: Number, key: PRNGKey) -> Image:
    """Blur along each axis by a Gaussian of `sigma` pixels, the edges replicated.

    The kernel is sampled at whole pixels, cut at 4 sigma and normalised, as SciPy's
    `gaussian_filter` with mode "nearest". Sigma 0 changes nothing; it is limited to an axis's side.
    """
    del key  # deterministic
    for axis in range(pixels.ndim - 1):
        matrix = _blur_matrix(pixels.shape[axis], jnp.asarray(sigma, pixels.dtype))
        pixels = jnp.moveaxis(
            jnp.tensordot(matrix, pixels, (1, axis), precision=lax.Precision.HIGHEST), 0, axis
        )
    return pixels


def _blur_matrix(side: int, sigma: Scalar) -> Float[Array, "side side"]:
    """Return the matrix of a blur along one axis: row i has the weights of position i."""
    sigma = jnp.clip(sigma, 0, side)
    distance = jnp.arange(REACH * side + 1, dtype=sigma.dtype)
    scaled = distance / jnp.where(sigma > 0, sigma, 1)
    weight = jnp.where(distance <= jnp.floor(REACH * sigma + 0.5), jnp.exp(-(scaled**2) / 2), 0)
    weight /= 2 * weight.sum() - 1  # both sides share the centre, whose weight is 1
    # Weights beyond an edge belong to the edge: its column sums those as far away or farther.
    beyond = jnp.cumsum(weight[::-1])[::-1][:side]
    position = np.arange(side)
    inner = weight[np.abs(position[:, None] - position)]
    if side == 1:
        return jnp.ones_like(inner)
    return inner.at[:, 0].set(beyond).at[:, -1].set(beyond[::-1])


def _draw_nothing(pixels: Image, key: PRNGKey) -> PRNGKey:
    del pixels
    return key


@dataclass(frozen=True)
class Corruption:
    """A corruption, the meaning and the range of its strength, and the usual levels."""

    apply: Callable[..., Image]  # (pixels, strength, draw) -> pixels
    title: str
    axis: str
    mildest: float
    severest: float
    levels: tuple[float, ...]
    source: str
    draw: Callable[..., Any] = _draw_nothing  # (pixels, key) -> draw of all strengths

    @property
    def strengths(self) -> Hyperparameter:
        """Usable levels: at least one, in range, from mild to severe."""
        sign = 1 if self.severest > self.mildest else -1
        inside = number(lambda n: sign * self.mildest <= sign * n <= sign * self.severest)

        def plain(value: Any) -> tuple[float, ...]:
            levels = several(inside, remedy="").plain(value)
            if any(sign * b <= sign * a for a, b in pairwise(levels)):
                raise ValueError
            return levels

        return Hyperparameter(
            plain,
            f"give at least one level of {self.title}, from mild to severe, each once, between "
            f"{self.mildest:g} and {self.severest:g}",
        )


CRUM = "Crum et al. (2023), arXiv:2303.11969"
HENDRYCKS = "Hendrycks and Dietterich (2019), arXiv:1903.12261"

# Salt and pepper as published; the others at the five severities of ImageNet-C, after the clean
# image or, for JPEG, which has no lossless quality, after qualities in common use.
CORRUPTIONS = {
    "salt_and_pepper": Corruption(
        _replace, "Salt-and-pepper noise", "share of values replaced", 0, 1,
        (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0), CRUM, _draw_replacements,
    ),
    "gaussian": Corruption(
        _add_noise, "Gaussian noise", "standard deviation, in units of [0, 1]", 0, np.inf,
        (0.0, 0.08, 0.12, 0.18, 0.26, 0.38), HENDRYCKS, _draw_noise,
    ),
    "blur": Corruption(
        gaussian_blur, "Gaussian blur", "sigma, in pixels", 0, np.inf,
        (0.0, 1.0, 2.0, 3.0, 4.0, 6.0), HENDRYCKS,
    ),
    "jpeg": Corruption(
        jpeg, "JPEG compression", "quality", 100, 1,
        (90.0, 75.0, 50.0, 25.0, 18.0, 15.0, 10.0, 7.0), HENDRYCKS,
    ),
}  # fmt: skip
