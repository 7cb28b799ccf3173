"""Integrated gradients with more steps where the score changes more."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from salix.attribution.integrated_gradients import (
    BASELINE,
    broadcast_baselines,
    mean_gradient,
    mean_over,
)
from salix.hyperparameters import check_fields, integer, settings_text
from salix.precision import widen
from salix.typing import AnyArray, Attribution, Image, InputError, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class NonuniformIntegratedGradients:
    r"""Integrated gradients with non-uniform steps, more of them where the score changes more.

    $A(x) = (x - x') \odot \int_0^1 \nabla f(x' + t\,(x - x'))\,dt$ as by `IntegratedGradients`,
    with the same baselines; signed, in units of the score, and complete up to an error of
    O(steps^-2) for a smooth score. The path is cut into `intervals` of one length. Interval i, over
    which the score changes by $\Delta_i$, has a share
    $\sqrt{|\Delta_i|} / \sum_j \sqrt{|\Delta_j|}$ of the `steps`, at least one, at the midpoints of
    its equal parts: fewer steps are enough for scores that saturate. Costs `steps` gradients,
    `chunk` of them in one batch, and `intervals` + 1 scores a baseline. Raises `InputError` as
    `IntegratedGradients` does, and for more intervals than steps.

    Bhat and Raychowdhury (2023), arXiv:2302.11107 (there of a class's probability).
    """

    baseline: float | int | tuple[float | int, ...] | str | AnyArray = 0.0
    steps: int = 32
    intervals: int = 4
    chunk: int = field(default=1, metadata={"described": "changed"})

    def __post_init__(self) -> None:
        check_fields(self, baseline=BASELINE, steps=integer(1), intervals=integer(1))
        check_fields(self, chunk=integer(1))
        if self.intervals > self.steps:
            raise InputError(f"intervals is {self.intervals}: give at most the {self.steps} steps")

    __repr__ = settings_text

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        del shape
        starts = 2 if isinstance(self.baseline, str) else 1
        return starts * Passes(evaluations=self.intervals + 1, gradients=self.steps)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Attribution:
        del key  # deterministic
        image, gradient = jnp.asarray(image), jax.grad(score)

        def integrate(start: Array) -> Array:
            path = widen(image) - widen(start)
            bounds = jnp.linspace(0, 1, self.intervals + 1, dtype=path.dtype)
            point = lambda t: (widen(start) + t * path).astype(image.dtype)  # noqa: E731
            scores = jax.lax.map(lambda t: widen(score(point(t))), bounds)
            nodes, weights = nonuniform_nodes(jnp.abs(jnp.diff(scores)), self.steps)
            return path * mean_gradient(gradient, image, start, nodes, weights, chunk=self.chunk)

        return mean_over(integrate, self.baselines(score, image))

    def baselines(self, score: ScoreLike, image: Image) -> tuple[Array, ...]:
        """Return the images to whose mean score the attribution is complete."""
        return broadcast_baselines(self.baseline, score, image)


def nonuniform_nodes(
    changes: Float[Array, " intervals"], steps: int
) -> tuple[Float[Array, " steps"], Float[Array, " steps"]]:
    """Return nodes in [0, 1] and weights that sum to one, for the score's changes on intervals."""
    intervals, step = len(changes), jnp.arange(steps, dtype=jnp.int32)
    counts = _allocate(jnp.sqrt(changes), steps)
    ends = jnp.cumsum(counts)
    interval = (step[:, None] >= ends[None]).sum(1, dtype=jnp.int32)  # of each step
    inner = (step - (ends - counts)[interval]).astype(changes.dtype)
    size = counts[interval].astype(changes.dtype)
    nodes = (interval.astype(changes.dtype) + (inner + 0.5) / size) / intervals
    return nodes, 1 / (intervals * size)


def _allocate(sizes: Float[Array, " intervals"], steps: int) -> Int[Array, " intervals"]:
    """Return whole numbers of steps, at least one each, by largest remainders."""
    intervals, total = len(sizes), sizes.sum()
    usable = (total > 0) & jnp.isfinite(total)
    share = jnp.where(usable, sizes / jnp.where(usable, total, 1), 1 / intervals)
    exact = (steps - intervals) * share
    counts = jnp.floor(exact).astype(jnp.int32)
    left = steps - intervals - counts.sum(dtype=counts.dtype)
    remainder, first = exact - jnp.floor(exact), jnp.arange(intervals)
    ahead = (remainder[None] > remainder[:, None]) | (
        (remainder[None] == remainder[:, None]) & (first[None] < first[:, None])
    )
    return 1 + counts + (ahead.sum(1, dtype=counts.dtype) < left).astype(counts.dtype)
