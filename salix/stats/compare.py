"""All pairwise comparisons of groups of runs, in every measure, as one family of tests."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np

from salix.stats.bootstrap import as_table, bootstrap_difference
from salix.stats.effect_size import cliffs_delta, hedges_g, paired_delta
from salix.stats.interval import NAN, Interval
from salix.stats.permutation import holm, minimum_p, permutation_test, sign_flip_test
from salix.typing import InputError


@dataclass(frozen=True)
class GroupComparison:
    """Difference of group a and group b in the measure `key`, its p-value and effect sizes.

    `difference` is the mean of a less that of b over the `n_images` that have a value in every run
    of both; `difference.undefined` counts the other images. `p` is the p-value of that
    difference, `p_adjusted` the one corrected within its family. `effect` is Hedges' g of the
    runs, NaN where a group has one run; `delta` is Cliff's, over the runs or images of `over`.
    """

    key: str
    a: str
    b: str
    difference: Interval
    p: float
    p_adjusted: float
    effect: Interval
    delta: Interval
    n_runs: tuple[int, int]
    n_images: int

    @property
    def over(self) -> Literal["runs", "images"]:
        """The sample of the p-value: runs, or other images for the same runs."""
        return "runs" if min(self.n_runs) > 1 else "images"

    @property
    def minimum_p(self) -> float:
        """Smallest p-value possible with these numbers of runs; 0 for tests over images."""
        return minimum_p(*self.n_runs) if self.over == "runs" else 0.0


def compare_groups(
    tables: Mapping[str, Mapping[str, Any]],
    *,
    level: float = 0.95,
    draws: int = 2000,
    permutations: int = 10_000,
    seed: int = 0,
) -> list[GroupComparison]:
    r"""Compare each two groups in each measure of `tables[measure][group]`, a table [run, image].

    Measures and groups in their order, the first group less the second. With two or more runs in
    both groups, the p-value permutes the labels of the runs' means (`permutation_test`) and the
    interval is over runs and images; else both are over the images, of the groups' means of each
    image (`sign_flip_test`). Holm's correction is over all comparisons returned. The p-value holds
    the images fixed, the interval does not: with few runs p cannot be small (`minimum_p`), however
    far from 0 the interval lies. Two groups without an image in common have NaN statistics and
    are not part of the family. Raises `InputError`, naming the measure and the groups, for an
    empty group and for groups of one measure whose images differ in number.
    """
    comparisons = [
        _compare(key, (a, b), (groups[a], groups[b]), level, draws, permutations, seed)
        for key, groups in tables.items()
        for a, b in combinations(groups, 2)
    ]
    adjusted = holm([c.p for c in comparisons])
    return [replace(c, p_adjusted=float(p)) for c, p in zip(comparisons, adjusted, strict=True)]


def _compare(
    key: str,
    names: tuple[str, str],
    tables: tuple[Any, Any],
    level: float,
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
    difference = bootstrap_difference(a, b, level=level, draws=draws, seed=seed)
    a, b = a[:, common], b[:, common]
    if min(runs) > 1:
        x, y = a.mean(1), b.mean(1)
        p = permutation_test(x, y, draws=permutations, seed=seed)
        effect, delta = hedges_g(x, y, level=level), cliffs_delta(x, y, level=level)
    else:
        x, y = a.mean(0), b.mean(0)
        p = sign_flip_test(x, y, draws=permutations, seed=seed)
        effect, delta = undefined, paired_delta(x, y, level=level)
    return GroupComparison(key, *names, difference, p, NAN, effect, delta, runs, n)
