"""Faithfulness, sensitivity and complexity of voxel attributions, with the region fixed."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from salix.metrics.complexity import effective_complexity
from salix.metrics.faithfulness import faithfulness_correlation
from salix.metrics.robustness import avg_sensitivity
from salix.perturb.partition import Patches
from salix.studies.agg2exp.methods import attribute_volume
from salix.studies.agg2exp.scores import ScanScores
from salix.studies.agg2exp.segmenter import Segmenter, Volume
from salix.studies.agg2exp.task import Task
from salix.studies.agg2exp.windows import WindowPlan
from salix.typing import Explanation, Method

QUALITIES = ("faithfulness", "sensitivity", "complexity")  # higher, lower and lower is better
CUBE, FRACTION, REMOVALS = 4, 0.1, 100  # voxels a side, share of cubes removed at once, times
RADIUS, COPIES = 0.1, 3  # of the noise, and noisy copies, as in the paper
THRESHOLD = 0.1  # of the maximum: voxels above it count for complexity


def attribution_quality(
    segmenter: Segmenter,
    volume: Volume,
    task: Task,
    method: Method,
    plan: WindowPlan,
    target: int,
    *,
    seed: int = 0,
    removals: int = REMOVALS,
) -> dict[str, float]:
    r"""Return the faithfulness, sensitivity and complexity of one target's attribution.

    The region of the target is that of the clean volume throughout: scores of perturbed volumes
    are sums over the same voxels. Faithfulness is `faithfulness_correlation` over `removals` random
    tenths of cubes of 4 x 4 x 4 voxels, set to 0; sensitivity is `avg_sensitivity` over 3 copies
    with noise of up to 0.1; complexity is the share of voxels above a tenth of the maximum,
    `effective_complexity`.

    After Chrabaszcz et al. (2025), arXiv:2407.16653, whose region is predicted anew.
    """
    scores = ScanScores.of_task(segmenter, task, plan)
    key = jax.random.fold_in(jax.random.key(seed), target)
    values = _quality(scores, method, removals, jnp.asarray(volume), np.int32(target), key)
    return {name: float(value) for name, value in zip(QUALITIES, values, strict=True)}


@partial(jax.jit, static_argnames=("method", "removals"))
def _quality(
    scores: ScanScores, method: Method, removals: int, volume: Any, explained: Any, key: Any
) -> Any:
    def score(x: Any) -> Any:
        return scores(x)[explained]

    method_key, subset_key, noise_key = jax.random.split(key, 3)

    def explain(image: Any, target: Any = None) -> Explanation:
        del target  # always the explained one
        a = attribute_volume(method, score, image, scores.regions, scores.region_count, method_key)
        return Explanation(scores(image), explained, jnp.abs(a), attribution=a[..., None])

    clean = explain(volume).attribution
    faithfulness = faithfulness_correlation(
        score,
        volume,
        clean[..., 0],  # pyright: ignore[reportOptionalSubscript]
        subset_key,
        partition=Patches(CUBE),
        fraction=FRACTION,
        samples=removals,
        fill=0.0,
    )
    sensitivity = avg_sensitivity(explain, volume, noise_key, radius=RADIUS, samples=COPIES)
    complexity = effective_complexity(
        clean[..., 0],  # pyright: ignore[reportOptionalSubscript]
        eps=THRESHOLD,
        normalise=True,
    )
    return faithfulness, sensitivity, complexity
