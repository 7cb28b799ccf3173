"""Blur integrated gradients: the path from a blurred image to the image."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from salix.attribution.chunks import sum_chunks
from salix.hyperparameters import check_fields, choice, integer, number, settings_text
from salix.precision import widen
from salix.typing import Attribution, Image, Passes, PRNGKey, ScoreLike

POSITIVE = number(lambda n: n > 0, remedy="give a number of pixels greater than 0")
TRUNCATE = 4  # standard deviations


@dataclass(frozen=True)
class BlurIG:
    r"""Blur integrated gradients, along the path of images blurred ever less.

    $A(x) = -\sum_i (\sigma_{i+1} - \sigma_i)\, \nabla f(G_{\sigma_i} x) \odot
    (G_{\sigma_i + h}\, x - G_{\sigma_i}\, x) / h$, with $G_\sigma$ a Gaussian blur of $\sigma$
    pixels over all spatial axes, cut at 4 $\sigma$ and zero outside the image. $\sigma$ grows from
    0 to `max_sigma` in equal steps ("linear"), or as the square root of that ("sqrt"), to the root
    of `max_sigma`. h = `difference`. Signed, in units of the score; complete,
    $\sum A = f(x) - f(G_{\sigma_n} x)$, up to O(1/steps) and O(h). No baseline colour is chosen.
    One gradient a step, `chunk` of them in one batch. Raises `InputError` for too few steps, a
    sigma or difference that is not positive, and unknown spacing.

    Xu, Venugopalan and Sundararajan (2020), arXiv:2004.03383.
    """

    max_sigma: float | int = 50
    steps: int = 100
    spacing: str = "linear"
    difference: float | int = 0.01
    chunk: int = field(default=1, metadata={"described": "changed"})

    def __post_init__(self) -> None:
        check_fields(self, max_sigma=POSITIVE, steps=integer(1), difference=POSITIVE)
        check_fields(self, spacing=choice(("linear", "sqrt")), chunk=integer(1))

    __repr__ = settings_text

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        del shape
        return Passes(gradients=self.steps)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Attribution:
        del key  # deterministic
        image, gradient = jnp.asarray(image), jax.grad(score)
        wide = widen(image)
        sigmas = self._sigmas(wide.dtype)
        widths = jnp.diff(sigmas)

        def term(step: Array) -> Array:
            blurred, change = self._blur(wide, sigmas[step])
            slope = widen(gradient(blurred.astype(image.dtype)))
            return -widths[step] * slope * change / self.difference

        return sum_chunks(term, self.steps, chunk=self.chunk)

    def baselines(self, score: ScoreLike, image: Image) -> tuple[Array, ...]:
        """Return the most blurred image, to whose score the attribution is complete."""
        del score
        image = jnp.asarray(image)
        blurred, _ = self._blur(widen(image), self._sigmas(widen(image).dtype)[-1])
        return (blurred.astype(image.dtype),)

    def _sigmas(self, dtype: jnp.dtype) -> Array:
        sigmas = self.max_sigma * jnp.arange(self.steps + 1, dtype=dtype) / self.steps
        return jnp.sqrt(sigmas) if self.spacing == "sqrt" else sigmas

    def _blur(self, image: Array, sigma: Array) -> tuple[Array, Array]:
        """Return the blurred image, and its change where sigma grows by the difference."""
        reach = int(TRUNCATE * (max(self.max_sigma, self.max_sigma**0.5) + self.difference) + 1)
        blurred, change = image, jnp.zeros_like(image)
        for axis in range(image.ndim - 1):
            kernel, growth = _kernels(sigma, self.difference, max(reach, image.shape[axis]))
            # G'H' - GH = (G' - G)H + G'(H' - H), one axis after another: no digits are lost.
            first = _along(growth, blurred, axis)
            change = first + _along(kernel + growth, change, axis)
            blurred = _along(kernel, blurred, axis)
        return blurred, change


def _kernels(sigma: Array, difference: float, reach: int) -> tuple[Array, Array]:
    """Return a Gaussian kernel at distances up to `reach`, and its change as sigma grows."""
    d = jnp.arange(reach + 1, dtype=sigma.dtype)
    wider = sigma + difference
    inside, inside_wider = (d <= jnp.floor(TRUNCATE * s + 0.5) for s in (sigma, wider))
    rate = jnp.where(sigma > 0, 1 / (2 * jnp.where(sigma > 0, sigma, 1) ** 2), 0)
    rate_wider = 1 / (2 * wider**2)
    weights = jnp.where(inside & ((sigma > 0) | (d == 0)), jnp.exp(-(d**2) * rate), 0)
    weights_wider = jnp.where(inside_wider, jnp.exp(-(d**2) * rate_wider), 0)
    growth = weights * jnp.expm1(d**2 * (rate - rate_wider))
    growth = jnp.where((weights > 0) & inside_wider, growth, weights_wider - weights)
    both = jnp.where(d == 0, 1, 2).astype(d.dtype)  # sides of the kernel
    mass, mass_growth = (both * weights).sum(), (both * growth).sum()
    mass_wider = mass + mass_growth
    return weights / mass, (growth - weights * mass_growth / mass) / mass_wider


def _along(kernel: Array, image: Array, axis: int) -> Array:
    """Return an image filtered along an axis by a symmetric kernel, zero outside."""
    place = np.arange(image.shape[axis])
    matrix = kernel[np.abs(place[:, None] - place)]
    exact = lax.Precision.HIGHEST
    return jnp.moveaxis(jnp.tensordot(matrix, image, (1, axis), precision=exact), 0, axis)
