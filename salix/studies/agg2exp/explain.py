"""Totals of attributions of one scan, for all targets and regions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from salix.attribution import Gradient
from salix.studies.agg2exp.aggregation import RegionTotals, region_sums, region_voxels
from salix.studies.agg2exp.methods import attribute_volume, uses_gradients
from salix.studies.agg2exp.scores import PlanArrays, plan_arrays, target_scores
from salix.studies.agg2exp.segmenter import Segmenter, Volume
from salix.studies.agg2exp.windows import WindowPlan
from salix.typing import Method, Params

AT_ONCE = 4  # targets of methods without gradients


@dataclass(frozen=True)
class Task:
    """Targets of the explanation of one scan, and regions over which attributions are summed.

    `predicted` are the classes of the clean volume, `target_of` the target of each class;
    `regions` are the numbers of regions by voxel and `names` their names.
    """

    predicted: Int[np.ndarray, "d h w"]
    target_of: tuple[int, ...]
    regions: Int[np.ndarray, "d h w"]
    names: tuple[str, ...]

    @classmethod
    def of_classes(cls, predicted: Int[np.ndarray, "d h w"], classes: Sequence[str]) -> "Task":
        """Return the task whose targets and regions are the predicted classes."""
        return cls(predicted, tuple(range(len(classes))), predicted, tuple(classes))

    @property
    def count(self) -> int:
        """The number of targets."""
        return max(self.target_of) + 1

    @property
    def is_present(self) -> np.ndarray:
        """Whether each target has a voxel."""
        targets = np.asarray(self.target_of)[self.predicted]
        return np.bincount(targets.reshape(-1), minlength=self.count) > 0


def explain_scan(
    segmenter: Segmenter,
    volume: Volume,
    task: Task,
    method: Method,
    plan: WindowPlan,
    *,
    seed: int = 0,
    progress: Callable[[int], None] = lambda count: None,
) -> RegionTotals:
    """Return the totals of a method's attributions for all targets of a scan.

    Attributions are reduced to their sums over regions before the next ones are computed, so that
    memory does not grow with targets: one target after another, or four at once for methods without
    gradients, whose evaluations of the network serve all four. Absent targets have sums of 0 and
    are not computed. `progress` counts targets. Where the volume is one window, the forward pass of
    `Gradient` is shared by all targets.
    """
    voxels = region_voxels(task.regions, len(task.names))
    args = (segmenter.params, jnp.asarray(volume), task.predicted, task.regions)
    static = (segmenter.logits, task.count, len(task.names))
    shared = (*args, jnp.asarray(task.target_of, jnp.int32), plan_arrays(plan))
    present = np.flatnonzero(task.is_present).astype(np.int32)
    sums = np.zeros((2, task.count, len(task.names)))
    progress(task.count - len(present))
    if isinstance(method, Gradient) and len(plan) == 1:
        sums[:, present] = _gradient_totals(*static, *shared, present)
        progress(len(present))
        return RegionTotals(sums[0], sums[1], voxels)
    key = jax.random.key(seed)
    at_once = 1 if uses_gradients(method, np.shape(volume), len(task.names)) else AT_ONCE
    for start in range(0, len(present), at_once):
        targets = present[start : start + at_once]
        padded = np.pad(targets, (0, at_once - len(targets)), mode="edge")  # compiled once
        parts = _target_totals(*static, method, *shared, padded, key)
        sums[:, targets] = np.asarray(parts)[:, : len(targets)]
        progress(len(targets))
    return RegionTotals(sums[0], sums[1], voxels)


def attribution_map(
    segmenter: Segmenter,
    volume: Volume,
    task: Task,
    method: Method,
    plan: WindowPlan,
    target: int,
    *,
    seed: int = 0,
) -> Float[np.ndarray, "d h w"]:
    """Return the attribution of one target at each voxel, signed, channels added."""
    args = (segmenter.params, jnp.asarray(volume), task.predicted, task.regions)
    target_of = jnp.asarray(task.target_of, jnp.int32)
    static = (segmenter.logits, task.count, len(task.names), method)
    return np.asarray(
        _target_map(
            *static, *args, target_of, plan_arrays(plan), np.int32(target), jax.random.key(seed)
        )
    )


def _attribute(
    logits: Any,
    count: int,
    regions_count: int,
    method: Method,
    params: Params,
    volume: Any,
    predicted: Any,
    regions: Any,
    target_of: Any,
    where: PlanArrays,
    target: Any,
    key: Any,
) -> Any:
    def score(x: Any) -> Any:
        return target_scores(logits, params, x, predicted, target_of, where, count=count)[target]

    return attribute_volume(method, score, volume, regions, regions_count, key)


_target_map = partial(jax.jit, static_argnums=(0, 1, 2, 3))(_attribute)


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _target_totals(
    logits: Any,
    count: int,
    regions_count: int,
    method: Method,
    params: Params,
    volume: Any,
    predicted: Any,
    regions: Any,
    target_of: Any,
    where: PlanArrays,
    targets: Any,
    key: Any,
) -> Any:
    """Return the sums [2 targets regions]."""
    static = (logits, count, regions_count, method, params, volume, predicted, regions)

    def totals(target: Any) -> Any:
        attribution = _attribute(*static, target_of, where, target, key)
        return region_sums(attribution[..., None], regions, regions_count)[:, 0]

    if len(targets) == 1:
        return totals(targets[0])[:, None]
    return jax.vmap(totals, out_axes=1)(targets)  # the network's passes do not depend on targets


@partial(jax.jit, static_argnums=(0, 1, 2))
def _gradient_totals(
    logits: Any,
    count: int,
    regions_count: int,
    params: Params,
    volume: Any,
    predicted: Any,
    regions: Any,
    target_of: Any,
    where: PlanArrays,
    targets: Any,
) -> Any:
    """Return the sums [2 targets regions] of the gradients of targets, of one forward pass."""

    def scores(x: Any) -> Any:
        return target_scores(logits, params, x, predicted, target_of, where, count=count)

    _, pull = jax.vjp(scores, volume)

    def totals(target: Any) -> Any:
        (gradient,) = pull(jax.nn.one_hot(target, count, dtype=volume.dtype))
        return region_sums(gradient.sum(-1, keepdims=True), regions, regions_count)[:, 0]

    return jax.lax.map(totals, targets).transpose(1, 0, 2)
