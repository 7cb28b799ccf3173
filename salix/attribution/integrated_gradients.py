"""Integrated gradients and the quadrature rules of its path integral."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from salix.attribution.chunks import sum_chunks
from salix.attribution.filling import broadcast_values, pixel_values
from salix.hyperparameters import Hyperparameter, check_fields, choice, integer, settings_text
from salix.precision import widen
from salix.typing import (
    AnyArray,
    Attribution,
    Image,
    Passes,
    PRNGKey,
    ScoreLike,
    as_score,
)

BLACK_WHITE = "black_white"
Rule = tuple[np.ndarray, np.ndarray]  # nodes in [0, 1], and weights that sum to one


def _midpoint(n: int) -> Rule:
    return (np.arange(n) + 0.5) / n, np.full(n, 1 / n)


def _trapezoid(n: int) -> Rule:
    weights = np.full(n, 1 / (n - 1))
    weights[[0, -1]] /= 2
    return np.linspace(0, 1, n), weights


def _gauss_legendre(n: int) -> Rule:
    nodes, weights = np.polynomial.legendre.leggauss(n)  # on [-1, 1]; the weights sum to two
    return (nodes + 1) / 2, weights / 2


RULES: dict[str, Callable[[int], Rule]] = {
    "midpoint": _midpoint,
    "trapezoid": _trapezoid,
    "gauss_legendre": _gauss_legendre,
}


BASELINE = Hyperparameter(
    pixel_values(BLACK_WHITE),
    'give a finite number, one for each channel, an array shaped like the image, or "black_white"',
)


@dataclass(frozen=True)
class IntegratedGradients:
    r"""Gradient averaged along the straight path from a baseline x' to the image.

    $A(x) = (x - x') \odot \int_0^1 \nabla f(x' + t\,(x - x'))\,dt$; signed, in units of the score.
    Complete: $\sum A = f(x) - f(x')$ up to the error of the rule. For a smooth score that is
    O(steps^-2) for "midpoint" and "trapezoid"; "gauss_legendre" is exact where the score along the
    path is a polynomial of degree 2 steps or less. `steps` counts evaluations of the gradient, of
    which `chunk` share a batch: faster where few images are explained at once, with the memory of
    that batch. Sums are in float32 where the image has 16 bits.
    `baseline` is in the input's units: a number, one number a channel, or (from Python only) an
    array shaped like the image. "black_white" is the mean over a black and a white image, with
    twice the gradients and $\sum A = f(x) - (f(black) + f(white)) / 2$; black and white are those
    of the `Score`, which a model sets by its preprocessing, and 0 and 1 for a plain function.
    Raises `InputError` for an unknown rule, too few steps and a baseline of another shape or not
    finite.

    Sundararajan, Taly and Yan (2017), arXiv:1703.01365, sec. 3 and 5; "black_white" after
    Kapishnikov et al. (2019), arXiv:1906.02825, sec. 3.
    """

    baseline: float | int | tuple[float | int, ...] | str | AnyArray = 0.0
    steps: int = 32
    rule: str = "midpoint"
    chunk: int = field(default=1, metadata={"described": "changed"})

    def __post_init__(self) -> None:
        check_fields(self, baseline=BASELINE, rule=choice(RULES), chunk=integer(1))
        check_fields(self, steps=integer(2 if self.rule == "trapezoid" else 1))  # both ends, or one

    __repr__ = settings_text

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        del shape
        starts = 2 if isinstance(self.baseline, str) else 1
        return Passes(gradients=starts * self.steps)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Attribution:
        del key  # deterministic
        image = jnp.asarray(image)
        nodes, weights = RULES[self.rule](self.steps)
        gradient = jax.grad(score)

        def integrate(start: Array) -> Array:
            path, rule = widen(image) - widen(start), (jnp.asarray(nodes), jnp.asarray(weights))
            return path * mean_gradient(gradient, image, start, *rule, chunk=self.chunk)

        return mean_over(integrate, self.baselines(score, image))

    def baselines(self, score: ScoreLike, image: Image) -> tuple[Array, ...]:
        """Return the images to whose mean score the attribution is complete."""
        return broadcast_baselines(self.baseline, score, image)


def mean_gradient(
    gradient: Callable[[Array], Array],
    image: Array,
    start: Array,
    nodes: Float[Array, " steps"],
    weights: Float[Array, " steps"],
    *,
    chunk: int,
) -> Array:
    """Return the weighted sum of gradients at nodes of the straight path from `start` to `image`.

    In 32 bits or more, `chunk` gradients in one batch.
    """
    path = widen(image) - widen(start)
    nodes, weights = nodes.astype(path.dtype), weights.astype(path.dtype)

    def term(step: Array) -> Array:
        point = (widen(start) + nodes[step] * path).astype(image.dtype)
        return weights[step] * widen(gradient(point))

    return sum_chunks(term, len(nodes), chunk=chunk)


def mean_over(function: Callable[[Array], Array], starts: tuple[Array, ...]) -> Array:
    """Return the mean of a function over some images, of a single one its value."""
    if len(starts) == 1:
        return function(starts[0])
    return jax.lax.map(function, jnp.stack(starts)).mean(0)  # compiled once


def broadcast_baselines(baseline: Any, score: ScoreLike, image: Image) -> tuple[Array, ...]:
    """Return the baselines of a path method as images; `InputError` for one of another shape."""
    image = jnp.asarray(image)
    if not isinstance(baseline, str):
        return (broadcast_values("baseline", baseline, image),)
    of, channels = as_score(score), image.shape[-1]
    colours = (np.broadcast_to(values, channels) for values in (of.black, of.white))
    return tuple(broadcast_values("baseline", colour, image) for colour in colours)
