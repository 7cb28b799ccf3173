"""Totals of attributions of one scan, for all targets and regions."""

from collections.abc import Callable
from functools import partial
from math import ceil
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from salix.studies.agg2exp.aggregation import RegionTotals, region_sums, region_voxels
from salix.studies.agg2exp.distance import SHELLS, distance_shells, shell_voxels
from salix.studies.agg2exp.methods import attribute_volume
from salix.studies.agg2exp.scores import ScanScores
from salix.studies.agg2exp.segmenter import Segmenter, Volume
from salix.studies.agg2exp.task import Task
from salix.studies.agg2exp.windows import WindowPlan
from salix.typing import Method

MOST_AT_ONCE = 6  # targets whose attributions are in memory together


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

    Six targets at most are computed at once and share the forward passes of the network, gradients
    passing back one after another; their attributions are reduced to sums over regions and
    distances before the next ones are computed, so that memory does not grow with targets. Absent
    targets have sums of 0 and are not computed. `progress` counts targets.
    """
    scores = ScanScores.of_task(segmenter, task, plan)
    regions = len(task.names)
    voxels = region_voxels(task.regions, regions)
    present = np.flatnonzero(task.is_present).astype(np.int32)
    sums = np.zeros((2, task.count, regions, SHELLS))
    near_voxels = np.zeros((task.count, regions, SHELLS))
    progress(task.count - len(present))
    at_once = chunk_of(task.count)
    for start in range(0, len(present), at_once):
        targets = present[start : start + at_once]
        shells = np.stack([distance_shells(task.targets == t) for t in targets])
        near_voxels[targets] = [shell_voxels(task.regions, s, regions) for s in shells]
        missing = at_once - len(targets)  # compiled once
        padded = np.pad(targets, (0, missing), mode="edge")
        shells = np.pad(shells, ((0, missing), *[(0, 0)] * 3), mode="edge")
        parts = target_totals(scores, method, volume, padded, shells, jax.random.key(seed))
        sums[:, targets] = np.asarray(parts)[:, : len(targets)]
        progress(len(targets))
    positive, negative = sums.sum(-1)
    return RegionTotals(positive, negative, voxels, sums.sum(0), near_voxels)


def chunk_of(targets: int) -> int:
    """Return the number of targets at once: as few calls as can be, of equal size."""
    return ceil(targets / ceil(targets / MOST_AT_ONCE))


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
    scores = ScanScores.of_task(segmenter, task, plan)
    return np.asarray(
        _target_map(scores, method, jnp.asarray(volume), np.int32(target), jax.random.key(seed))
    )


@partial(jax.jit, static_argnames="method")
def _target_map(scores: ScanScores, method: Method, volume: Any, target: Any, key: Any) -> Array:
    def score(x: Any) -> Any:
        return scores(x)[target]

    return attribute_volume(method, score, volume, scores.regions, scores.region_count, key)


@partial(jax.jit, static_argnames="method")
def target_totals(
    scores: ScanScores, method: Method, volume: Any, targets: Any, shells: Any, key: Any
) -> Float[Array, "2 targets regions shells"]:
    """Return the sums of positive and negative attributions by region and distance."""
    volume = jnp.asarray(volume)
    maps = jax.vmap(lambda t: _target_map(scores, method, volume, t, key))(targets)

    def totals(item: Any) -> Array:
        attribution, shell = item
        numbers = scores.regions * SHELLS + shell.astype(jnp.int32)
        sums = region_sums(attribution[..., None], numbers, scores.region_count * SHELLS)
        return sums.reshape(2, scores.region_count, SHELLS)

    return jax.lax.map(totals, (maps, shells)).swapaxes(0, 1)
