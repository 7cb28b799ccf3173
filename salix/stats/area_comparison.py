"""Comparison of two groups of runs in the area under the ROC curve."""

from typing import Any

from salix.stats.auc_groups import SharedImages, group_difference
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
    clusters: Any = None,
    level: float = 0.95,
    permutations: int = 10_000,
    seed: int = 0,
) -> GroupComparison:
    r"""Compare groups `names` in the AUC of their scores `a` and `b`, `[run, image]`.

    As `compare_groups` does in a mean: `p` permutes the runs' areas, or is that of `auc_difference`
    where a group has one run; the images' part of `p_both` is DeLong's variance of the difference
    of the groups' mean placement values. The interval is that of `auc_group_difference`.
    `labels[image]` are 0 and 1, `clusters[image]` names the cluster of dependent images of each.
    NaN where the images with finite scores in every run lack a class. Raises `InputError` for other
    labels, and for shapes that differ.
    """
    shared = SharedImages.of((a, b), labels, clusters)
    difference, p = group_difference(shared, level)
    effect = delta = Interval(NAN, NAN, NAN, 0)
    counts = (len(shared.areas[0]), len(shared.areas[1])) if shared.areas else (0, 0)
    p_both, values = p, ((), ())
    if shared.design is not None and max(counts) > 1:
        x, y = shared.areas
        error = shared.errors(0).mean(0) - shared.errors(1).mean(0)
        # No p is below that of a sign test of the images of the rarer class.
        least = 2.0 ** (1 - shared.design.least_count())
        p_both = max(p_of_both(x, y, error, shared.design), least)
        values = (tuple(x.tolist()), tuple(y.tolist()))
        if min(counts) > 1:
            p = permutation_test(x, y, draws=permutations, seed=seed)
            effect, delta = hedges_g(x, y, level=level), cliffs_delta(x, y, level=level)
    return GroupComparison(
        *(key, *names, difference, p, NAN, effect, delta, counts, difference.n),
        p_both=p_both,
        run_values=values,
    )
