"""Comparison of two groups of runs in the area under the ROC curve."""

from typing import Any

import numpy as np

from salix.stats.auc import auc_difference, placement_values
from salix.stats.bootstrap import as_table
from salix.stats.compare import p_of_both
from salix.stats.comparison import GroupComparison
from salix.stats.effect_size import cliffs_delta, hedges_g
from salix.stats.interval import NAN, Interval
from salix.stats.permutation import permutation_test


def compare_areas(
    key: str,
    names: tuple[str, str],
    a: Any,
    b: Any,
    labels: Any,
    *,
    level: float = 0.95,
    permutations: int = 10_000,
    seed: int = 0,
) -> GroupComparison:
    r"""Compare groups `names` in the AUC of their scores `a` and `b`, `[run, image]`.

    As `compare_groups` does in a mean: `p` permutes the runs' areas, or is DeLong's where a group
    has one run; in `p_both` the images' part of the variance is DeLong's, of the difference of the
    groups' mean placement values, class by class. `labels[image]` are 0 and 1. NaN where the images
    with finite scores in every run lack a class. Errors as for `auc_difference`.
    """
    difference, p = auc_difference(a, b, labels, level=level)
    first, second, y = as_table(a), as_table(b), np.asarray(labels)
    runs, n = (len(first), len(second)), difference.n
    undefined = Interval(NAN, NAN, NAN, 0)
    effect = delta = undefined
    values: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    if np.isnan(difference.value) or max(runs) == 1:
        p_both = p
    else:
        known = np.isfinite(first).all(0) & np.isfinite(second).all(0)
        classes = known & (y == 1), known & (y == 0)
        placements = [
            [placement_values(run[classes[0]], run[classes[1]]) for run in table]
            for table in (first, second)
        ]
        areas = [np.array([v10.mean() for v10, _ in rows]) for rows in placements]
        parts = []
        for side in range(2):
            own, other = (np.mean([v[side] for v in rows], 0) for rows in placements)
            size = len(own)
            if size > 1:
                parts.append((float((own - other).var(ddof=1)) / size, size - 1))
        p_both = p_of_both(*areas, parts) if len(parts) == 2 else NAN
        values = (tuple(areas[0].tolist()), tuple(areas[1].tolist()))
        if min(runs) > 1:
            p = permutation_test(*areas, draws=permutations, seed=seed)
            effect, delta = hedges_g(*areas, level=level), cliffs_delta(*areas, level=level)
    return GroupComparison(
        key, *names, difference, p, NAN, effect, delta, runs, n, p_both=p_both, run_values=values
    )
