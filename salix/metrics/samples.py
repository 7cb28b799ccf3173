"""Samples of random metrics: one key for each, scanned so that memory does not grow with them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from salix.hyperparameters import check_value, choice, integer, number
from salix.precision import widen
from salix.typing import Image, PRNGKey, Scalar

NOISES = ("uniform", "gaussian")
RADIUS = number(lambda r: r > 0, remedy="give a number above 0, in the image's units")
COUNT = integer(1)


def map_samples(
    function: Callable[[PRNGKey], Any], key: PRNGKey, samples: int, chunk: int = 1
) -> Any:
    """Return `function` of the keys of `samples` draws, stacked; `chunk` of them in one batch.

    Draw i has the key `fold_in(key, i)`, whatever their number.
    """
    check_value("samples", samples, COUNT)
    check_value("chunk", chunk, COUNT)
    batch = None if chunk == 1 else min(chunk, samples)
    draw = lambda i: function(jax.random.fold_in(key, i))  # noqa: E731
    return jax.lax.map(draw, jnp.arange(samples), batch_size=batch)


def perturb(image: Image, key: PRNGKey, radius: float, noise: str = "uniform") -> Image:
    """Return an image with noise of its type added to each value.

    "uniform" in [-radius, radius], or "gaussian" with the standard deviation `radius`.
    """
    check_value("noise", noise, choice(NOISES))
    check_value("radius", radius, RADIUS)
    image = jnp.asarray(image)
    draw = jax.random.normal if noise == "gaussian" else _uniform
    wide = widen(image)
    return (wide + radius * draw(key, wide.shape, wide.dtype)).astype(image.dtype)


def _uniform(key: PRNGKey, shape: tuple[int, ...], dtype: Any) -> Float[Array, "..."]:
    return jax.random.uniform(key, shape, dtype, -1, 1)


def norm(values: Shaped[Array, "..."], order: int = 2) -> Scalar:
    """Return the 1- or 2-norm over all entries, of huge and tiny values too, in 32 bits or more."""
    size = jnp.abs(widen(jnp.asarray(values)))
    peak = size.max()
    unit = size / jnp.where(peak > 0, peak, 1)
    return peak * (unit.sum() if order == 1 else jnp.sqrt((unit * unit).sum()))


def is_attribution(values: Shaped[Array, "..."]) -> Any:
    """Return whether an attribution is finite and somewhere not zero."""
    return jnp.isfinite(values).all() & (values != 0).any()
