"""Integrated gradients whose number of steps follows from the completeness residual."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from salix.attribution.integrated_gradients import (
    BASELINE,
    RULES,
    broadcast_baselines,
    mean_over,
)
from salix.hyperparameters import check_fields, choice, integer, number
from salix.precision import widen
from salix.typing import AnyArray, Attribution, Image, InputError, Passes, PRNGKey, ScoreLike

TOLERANCE = number(lambda n: n >= 0, remedy="give a share of the score's change, 0 or more")
FACTORS = {"midpoint": 3, "trapezoid": 2, "gauss_legendre": 2}


@dataclass(frozen=True)
class AdaptiveIntegratedGradients:
    r"""Integrated gradients with as many steps as an image needs to be complete.

    $A(x) = (x - x') \odot \int_0^1 \nabla f(x' + t\,(x - x'))\,dt$ as by `IntegratedGradients`,
    with the same baselines; signed, in units of the score. It begins with `first` steps and refines
    until $|\sum A - (f(x) - f(x'))| \le$ `tolerance` $|f(x) - f(x')|$ or the next refinement would
    need more than `steps`: then the last estimate stands, and `completeness_residual` gives its
    error.

    "midpoint" triples its panels and "trapezoid" doubles them, which uses every earlier gradient
    again; "gauss_legendre" doubles its steps and begins anew. An image costs `steps` gradients a
    baseline at most ("gauss_legendre": twice that), and the scores of both ends. Reverse-mode
    derivatives are not defined. Raises `InputError` as `IntegratedGradients` does, for a negative
    tolerance, and for more first steps than steps.

    Sundararajan, Taly and Yan (2017), arXiv:1703.01365, sec. 5: attributions should add up to the
    score's change within 5 %.
    """

    baseline: float | int | tuple[float | int, ...] | str | AnyArray = 0.0
    tolerance: float | int = 0.05
    rule: str = "midpoint"
    first: int = 9
    steps: int = 729

    def __post_init__(self) -> None:
        check_fields(self, baseline=BASELINE, rule=choice(RULES), tolerance=TOLERANCE)
        check_fields(self, first=integer(2 if self.rule == "trapezoid" else 1), steps=integer(1))
        if self.first > self.steps:
            raise InputError(f"first is {self.first}: give at most the {self.steps} of steps")

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the most model passes of one image of a shape [*space c]."""
        del shape
        starts = 2 if isinstance(self.baseline, str) else 1
        levels = refinements(self.rule, self.first, self.steps)
        gradients = sum(len(nodes) for nodes, _, _ in levels)
        return Passes(evaluations=1 + starts, gradients=starts * gradients)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Attribution:
        del key  # deterministic
        image = jnp.asarray(image)
        levels = refinements(self.rule, self.first, self.steps)
        end = widen(score(image))
        gradient = jax.grad(score)

        def integrate(start: Array) -> Array:
            change = end - widen(score(start))
            bound = self.tolerance * jnp.abs(change)
            return _refine(gradient, image, start, levels, change, bound)

        return mean_over(integrate, self.baselines(score, image))

    def baselines(self, score: ScoreLike, image: Image) -> tuple[Array, ...]:
        """Return the images to whose mean score the attribution is complete."""
        return broadcast_baselines(self.baseline, score, image)


Level = tuple[np.ndarray, np.ndarray, float]  # new nodes, their weights, share of the last estimate


def refinements(rule: str, first: int, most: int) -> list[Level]:
    """Return the refinements of a quadrature rule, from `first` nodes to at most `most`.

    An estimate is the sum of the weighted gradients at the new nodes and a share of the last one.
    """
    levels: list[Level] = []
    steps, again = first, 0.0
    while steps <= most:
        nodes, weights = RULES[rule](steps)
        new = np.full(steps, True)
        if levels and rule == "midpoint":
            new, again = np.arange(steps) % 3 != 1, 1 / 3  # middle thirds keep the midpoint
        elif levels and rule == "trapezoid":
            new, again = np.arange(steps) % 2 == 1, 1 / 2
        levels.append((nodes[new], weights[new], again))
        steps = 2 * steps - 1 if rule == "trapezoid" else FACTORS[rule] * steps
    return levels


def _refine(
    gradient: Callable[[Array], Array],
    image: Array,
    start: Array,
    levels: list[Level],
    change: Array,
    bound: Array,
) -> Array:
    """Return the attribution of the first level whose residual is within the bound."""
    path = widen(image) - widen(start)
    nodes, weights = (
        jnp.asarray(np.concatenate([level[i] for level in levels]), path.dtype) for i in (0, 1)
    )
    ends = jnp.asarray(np.cumsum([0] + [len(level[0]) for level in levels]))
    again = jnp.asarray([level[2] for level in levels], path.dtype)

    def add(i: Array, total: Array) -> Array:
        point = (widen(start) + nodes[i] * path).astype(image.dtype)
        return total + weights[i] * widen(gradient(point))

    def unfinished(state: tuple[Array, Array, Array]) -> Array:
        level, _, residual = state
        return (level < len(levels)) & ((level == 0) | (residual > bound))  # a NaN finishes too

    def refine(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        level, mean, _ = state
        mean = jax.lax.fori_loop(ends[level], ends[level + 1], add, again[level] * mean)
        return level + 1, mean, jnp.abs((path * mean).sum() - change)

    state = (jnp.zeros((), ends.dtype), jnp.zeros_like(path), jnp.zeros_like(bound))
    return path * jax.lax.while_loop(unfinished, refine, state)[1]
