"""Explained scalars of a segmentation: the logits of a class summed over its region."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from salix.studies.agg2exp.aggregation import sum_by_number
from salix.studies.agg2exp.segmenter import Segmenter, Volume
from salix.studies.agg2exp.task import Task
from salix.studies.agg2exp.windows import WindowPlan


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ScanScores:
    r"""Explained scalars of all targets, $F_t(x) = \sum_{v: \hat y_v \in t} s_{\hat y_v}(v; x)$.

    $\hat y$ are the classes `predicted` of the clean volume, fixed whatever the volume is here: the
    function does not change along a path or under noise. `target_of` has the target of each class,
    so that classes are merged by sharing one. With windows, s are the blended logits: window w adds
    its logits times $b_w(v) / \sum_u b_u(v)$, in the gradient too.

    An argument of compiled programs: arrays, and the function of the logits with the numbers of
    targets and regions, for which they are compiled. In the backward pass windows are computed
    again one after another, and each is differentiated for one target after another with one
    forward pass: memory is that of one window, whatever the number of targets.

    Chrabaszcz et al. (2025), arXiv:2407.16653, where the released code predicts the mask anew and
    adds overlapping windows without weights.
    """

    params: Any
    predicted: Any
    regions: Any
    target_of: Any
    starts: Any
    weights: Any
    inverse: Any
    logits: Callable[..., Any] = field(metadata={"static": True})
    targets: int = field(metadata={"static": True})
    region_count: int = field(metadata={"static": True})

    @classmethod
    def of_task(cls, segmenter: Segmenter, task: Task, plan: WindowPlan) -> "ScanScores":
        """Return the scores of a task by the windows of a plan."""
        return cls(
            segmenter.params,
            jnp.asarray(task.predicted),
            jnp.asarray(task.regions),
            jnp.asarray(task.target_of, jnp.int32),
            jnp.asarray(plan.starts),
            jnp.asarray(plan.weights),
            jnp.asarray(plan.inverse),
            segmenter.logits,
            task.count,
            len(task.names),
        )

    def __call__(self, volume: Volume) -> Float[Array, " targets"]:
        """Return the scores of a volume [d h w c], of the shape of the clean one."""
        return _scores(self, jnp.asarray(volume))

    def cut(self, volume: Array, start: Any) -> Array:
        """Return the part of a volume in a window."""
        return lax.dynamic_slice(volume, (*start, jnp.int32(0)), (*self._size, volume.shape[-1]))

    def window(self, part: Array, start: Any) -> Float[Array, " targets"]:
        """Return the share of one window in the scores, from its part of the volume."""
        classes = lax.dynamic_slice(self.predicted, start, self._size)
        s = self.logits(self.params, part)
        own = (s * jax.nn.one_hot(classes, s.shape[-1], dtype=s.dtype)).sum(-1)
        if len(self.starts) > 1:
            own *= self.weights * lax.dynamic_slice(self.inverse, start, self._size)
        return sum_by_number(own, self.target_of[classes], self.targets)

    @property
    def _size(self) -> tuple[int, ...]:
        return jnp.shape(self.weights)


@jax.custom_vjp
def _scores(scores: ScanScores, volume: Array) -> Array:
    def add(total: Array, start: Any) -> tuple[Array, None]:
        return total + scores.window(scores.cut(volume, start), start), None

    if len(scores.starts) == 1:
        return scores.window(volume, scores.starts[0])
    return lax.scan(add, jnp.zeros(scores.targets, volume.dtype), scores.starts)[0]


def _forward(scores: ScanScores, volume: Array) -> Any:
    return _scores(scores, volume), (scores, volume)


def _backward(residual: Any, slope: Array) -> Any:
    scores, volume = residual

    def part_slope(start: Any) -> Array:
        part = scores.cut(volume, start)
        return _pull(jax.vjp(lambda v: scores.window(v, start), part)[1], slope)

    def add(total: Array, start: Any) -> tuple[Array, None]:
        place = (*start, jnp.int32(0))
        moved = scores.cut(total, start) + part_slope(start)
        return lax.dynamic_update_slice(total, moved, place), None

    if len(scores.starts) == 1:
        return None, part_slope(scores.starts[0])
    return None, lax.scan(add, jnp.zeros_like(volume), scores.starts)[0]


@jax.custom_batching.sequential_vmap
def _pull(pull: Any, slope: Array) -> Array:
    """Return the gradient of one target: several targets pass back one after another."""
    return pull(slope)[0]


_scores.defvjp(_forward, _backward)
