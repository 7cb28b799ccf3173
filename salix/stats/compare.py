"""All pairwise comparisons of groups of runs, in every measure, as one family of tests."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from salix.stats.banerjee import student_p
from salix.stats.bootstrap import as_table, bootstrap_difference
from salix.stats.clusters import ClusterDesign, known_codes
from salix.stats.comparison import GroupComparison
from salix.stats.effect_size import cliffs_delta, hedges_g, paired_delta
from salix.stats.family import correct_family
from salix.stats.interval import NAN, Interval
from salix.stats.permutation import permutation_test, sign_flip_test
from salix.typing import InputError

NEAR = 1e-12  # of the greatest value: a difference this small is 0, but for rounding


def compare_groups(
    tables: Mapping[str, Mapping[str, Any]],
    *,
    level: float = 0.95,
    clusters: Any = None,
    draws: int = 2000,
    permutations: int = 10_000,
    seed: int = 0,
) -> list[GroupComparison]:
    r"""Compare each two groups in each measure of `tables[measure][group]`, a table [run, image].

    Measures and groups in their order, the first group less the second. With two or more runs in
    both groups, `p` permutes the labels of the runs' means (`permutation_test`) and the interval is
    over runs and images; else both are over the images, of the groups' means of each image
    (`sign_flip_test`). `p` holds one of the two fixed; `p_both` does not (`p_of_both`), and is
    corrected over all comparisons returned (`correct_family`). The groups of all measures are the
    same runs, in one order. `clusters[image]` names the cluster of dependent images of each: the
    clusters are then the sample, and not their images. Two groups without an image in common have
    NaN statistics and are not part of the family. Raises `InputError`, naming the measure and the
    groups, for an empty group and for groups of one measure whose images differ in number.
    """
    comparisons = [
        _compare(key, (a, b), (groups[a], groups[b]), level, clusters, draws, permutations, seed)
        for key, groups in tables.items()
        for a, b in combinations(groups, 2)
    ]
    return correct_family(comparisons, level=level, permutations=permutations, seed=seed)


def p_of_both(a: np.ndarray, b: np.ndarray, error: np.ndarray, design: ClusterDesign) -> float:
    r"""P-value of equal means of two groups of runs over the populations of runs and of images.

    `a[run]` and `b[run]` are the runs' values, `error[image]` the contributions of the images to
    the error of $\bar a - \bar b$. The parts of its variance are those of the runs of a,
    $s_a^2 / m$, of the runs of b, and of the images; the interaction of run and image counts in all
    of them. A group of one run borrows the variance of the other: it is compared with the spread of
    the other's runs, $s_b^2 (1 + 1 / n)$. `student_p` combines the parts. NaN for one run against
    one, and for a single cluster of images.

    Crawford and Howell (1998), doi:10.1076/clin.12.4.482.7241, for the group of one run.
    """
    difference = float(a.mean() - b.mean())
    if abs(difference) <= NEAR * max(np.abs(a).max(), np.abs(b).max()):
        return 1.0
    parts = [(float(x.var(ddof=1)) / len(x), len(x) - 1.0) for x in (a, b) if len(x) > 1]
    if len(parts) == 1:
        (variance, freedom) = parts[0]
        parts = [(variance * (freedom + 2), freedom)]
    if not parts or design.count < 2:
        return NAN
    parts.append((design.variance(error), design.freedom(error)))
    return student_p(difference, *zip(*parts, strict=True))


def _compare(
    key: str,
    names: tuple[str, str],
    tables: tuple[Any, Any],
    level: float,
    clusters: Any,
    draws: int,
    permutations: int,
    seed: int,
) -> GroupComparison:
    try:
        a, b = (as_table(values) for values in tables)
        if a.shape[1] != b.shape[1]:
            raise InputError(f"{a.shape[1]} and {b.shape[1]} images: give both groups the same")
    except InputError as error:
        raise InputError(f"{key} of {names[0]} and {names[1]}: {error}") from error
    common = np.isfinite(a).all(0) & np.isfinite(b).all(0)
    runs, n = (len(a), len(b)), int(common.sum())
    undefined = Interval(NAN, NAN, NAN, 0)
    if not n:
        difference = replace(undefined, undefined=int((~common).sum()))
        return GroupComparison(key, *names, difference, NAN, NAN, undefined, undefined, runs, 0)
    difference = bootstrap_difference(a, b, level=level, draws=draws, seed=seed, clusters=clusters)
    a, b = a[:, common], b[:, common]
    x, y = a.mean(1), b.mean(1)
    codes = None if clusters is None else known_codes(clusters, common)
    images = a.mean(0) - b.mean(0)
    both = p_of_both(x, y, (images - images.mean()) / n, ClusterDesign.of(n, codes))
    if min(runs) > 1:
        p = permutation_test(x, y, draws=permutations, seed=seed)
        effect, delta = hedges_g(x, y, level=level), cliffs_delta(x, y, level=level)
    else:
        p = sign_flip_test(a.mean(0), b.mean(0), draws=permutations, seed=seed, clusters=codes)
        both = p if max(runs) == 1 else both
        effect, delta = undefined, paired_delta(a.mean(0), b.mean(0), level=level, clusters=codes)
    values = (tuple(x.tolist()), tuple(y.tolist())) if max(runs) > 1 else ((), ())
    return GroupComparison(
        key, *names, difference, p, NAN, effect, delta, runs, n, p_both=both, run_values=values
    )
