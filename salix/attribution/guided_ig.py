"""Guided integrated gradients: a path that changes pixels of small gradients first."""

from dataclasses import dataclass
from math import floor

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from salix.attribution.integrated_gradients import BASELINE, broadcast_baselines, mean_over
from salix.hyperparameters import check_fields, integer, number
from salix.precision import widen
from salix.typing import AnyArray, Attribution, Image, Passes, PRNGKey, ScoreLike

SHARE = number(lambda n: 0 <= n <= 1, remedy="give a share, in [0, 1]")


@dataclass(frozen=True)
class GuidedIG:
    r"""Guided integrated gradients, along a path that first changes features of small gradients.

    $A(x) = \sum_j (x_{j+1} - x_j) \odot \nabla f(x_j)$ along points from the baseline x' to x,
    whose distance $|x - x_j|_1$ falls by one share of `steps` each. In a step the `fraction` of the
    features with the smallest $|\nabla f|$ move towards the image until that distance is reached,
    then the next fraction. No feature is further than `max_distance` of its whole path from the
    straight line's: 0 is integrated gradients by left endpoints, as is `fraction` 1; 1 has no
    bound. Signed, in units of the score; complete, $\sum A = f(x) - f(x')$, up to O(1/steps).
    `baseline` is that of `IntegratedGradients`. One gradient a step. Raises `InputError` as
    `IntegratedGradients` does, and for shares outside [0, 1].

    Kapishnikov et al. (2021), arXiv:2106.09788, with the bound of its anchored form.
    """

    baseline: float | int | tuple[float | int, ...] | str | AnyArray = 0.0
    steps: int = 200
    fraction: float | int = 0.25
    max_distance: float | int = 0.02

    def __post_init__(self) -> None:
        check_fields(self, baseline=BASELINE, steps=integer(1), fraction=SHARE, max_distance=SHARE)

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        del shape
        starts = 2 if isinstance(self.baseline, str) else 1
        return Passes(gradients=starts * self.steps)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Attribution:
        del key  # deterministic
        image, gradient = jnp.asarray(image), jax.grad(score)

        def integrate(start: Array) -> Array:
            path = widen(image) - widen(start)

            # Features are shares of their paths, so that those at a bound equal it exactly.
            def step(state: tuple[Array, Array], end: Array) -> tuple[tuple[Array, Array], None]:
                share, total = state
                point = (widen(start) + share * path).astype(image.dtype)
                slope = widen(gradient(point))
                moved = self._move(share, jnp.abs(path), jnp.abs(slope), end)
                return (moved, total + (moved - share) * path * slope), None

            ends = jnp.arange(1, self.steps + 1, dtype=path.dtype) / self.steps
            zero = jnp.zeros_like(path)
            return lax.scan(step, (zero, zero), ends)[0][1]

        return mean_over(integrate, self.baselines(score, image))

    def baselines(self, score: ScoreLike, image: Image) -> tuple[Array, ...]:
        """Return the images to whose mean score the attribution is complete."""
        return broadcast_baselines(self.baseline, score, image)

    def _move(self, share: Array, length: Array, slope: Array, end: Array) -> Array:
        """Return the features' shares after the step whose straight line would end at `end`."""
        low, high = jnp.maximum(end - self.max_distance, 0), jnp.minimum(end + self.max_distance, 1)
        share = jnp.maximum(share, low)
        total = length.sum()
        target = total * (1 - end)
        rounding = 4 * jnp.finfo(share.dtype).eps * total

        def unfinished(state: tuple[Array, Array]) -> Array:
            share, before = state
            left = (length * (1 - share)).sum()
            return (left > target + rounding) & (before != share).any()

        def move(state: tuple[Array, Array]) -> tuple[Array, Array]:
            share, _ = state
            movable = (share < high) & (length > 0)
            order = jnp.where(movable, slope, jnp.inf)
            chosen = movable & (order <= _lower_quantile(order, self.fraction))
            reach = jnp.where(chosen, length * (high - share), 0).sum()
            need = (length * (1 - share)).sum() - target
            step = jnp.where(chosen, need / jnp.where(reach > 0, reach, 1) * (high - share), 0)
            return jnp.where(chosen & (need >= reach), high, share + step), share

        return lax.while_loop(unfinished, move, (share, share - 1))[0]


def _lower_quantile(values: Array, fraction: float) -> Array:
    """Return the value at the lower index of a quantile of numbers that are at least 0."""
    rank = floor(fraction * (values.size - 1))
    size = 8 * values.dtype.itemsize
    bits = lax.bitcast_convert_type(values.ravel(), jnp.int32 if size == 32 else jnp.int64)

    def refine(place: Array, value: Array) -> Array:
        raised = value | (jnp.ones((), bits.dtype) << (size - 2 - place).astype(bits.dtype))
        return jnp.where((bits < raised).sum(dtype=jnp.int32) <= rank, raised, value)

    # Non-negative floats order as their bits: the value of that rank, bit by bit, in a third of
    # the time of a sort on the CPU.
    lowest = jnp.zeros((), bits.dtype)
    return lax.bitcast_convert_type(lax.fori_loop(0, size - 1, refine, lowest), values.dtype)
