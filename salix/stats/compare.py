"""All groups of runs against each other, in all measures, as one family of tests."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np

from salix.stats.bootstrap import difference_of_groups, table_of
from salix.stats.effect_size import cliffs_delta, hedges_g, paired_delta
from salix.stats.interval import NAN, Interval
from salix.stats.permutation import holm, least_p, permutation_test, sign_flip_test
from salix.typing import InputError


@dataclass(frozen=True)
class Comparison:
    """Group a against group b in the measure `key`, and on what evidence.

    `difference` is the mean of a less that of b over the `n_images` that every run of both has a
    value for; `difference.undefined` counts the images left out. `p` is of that difference, and
    `p_adjusted` of it within its family. `effect` is Hedges' g of the runs, NaN where a group has
    one run; `delta` is Cliff's, of the runs or of the images, as `over` says.
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
        """What the p value speaks of: runs like these, or only these runs, on other images."""
        return "runs" if min(self.n_runs) > 1 else "images"

    @property
    def least_p(self) -> float:
        """Least p that these numbers of runs can give; 0 where the images speak."""
        return least_p(*self.n_runs) if self.over == "runs" else 0.0


def compare_groups(
    tables: Mapping[str, Mapping[str, Any]],
    level: float = 0.95,
    draws: int = 2000,
    permutations: int = 10_000,
    seed: int = 0,
) -> list[Comparison]:
    r"""Compare each two groups in each measure of `tables[measure][group]`, a table [run, image].

    Measures and groups in their order, the first group less the second. With two or more runs in
    both groups, the p value permutes the labels of the runs' means (`permutation_test`) and the
    interval is over runs and images; else both are over the images, of the two groups' means of
    each (`sign_flip_test`). Holm's correction is over all that is returned. The p value takes the
    images as given, the interval does not: of few runs the p cannot be small (`least_p`), however
    far from 0 the interval is. Two groups without an image in common have NaN for numbers and are
    no part of the family. Raises `InputError` for an empty group and for groups of one measure
    whose images differ in number, and names them.
    """
    found = [
        _compare(key, (a, b), (groups[a], groups[b]), level, draws, permutations, seed)
        for key, groups in tables.items()
        for a, b in combinations(groups, 2)
    ]
    adjusted = holm([c.p for c in found])
    return [replace(c, p_adjusted=float(p)) for c, p in zip(found, adjusted, strict=True)]


def _compare(
    key: str,
    names: tuple[str, str],
    given: tuple[Any, Any],
    level: float,
    draws: int,
    permutations: int,
    seed: int,
) -> Comparison:
    try:
        a, b = (table_of(values) for values in given)
        if a.shape[1] != b.shape[1]:
            raise InputError(f"{a.shape[1]} and {b.shape[1]} images: give both groups the same")
    except InputError as error:
        raise InputError(f"{key} of {names[0]} and {names[1]}: {error}") from error
    common = np.isfinite(a).all(0) & np.isfinite(b).all(0)
    runs, n, lost = (len(a), len(b)), int(common.sum()), int((~common).sum())
    nothing = Interval(NAN, NAN, NAN, 0)
    if not n:
        none = replace(nothing, undefined=lost)
        return Comparison(key, *names, none, NAN, NAN, nothing, nothing, runs, 0)
    difference = difference_of_groups(a, b, level, draws, seed)
    a, b = a[:, common], b[:, common]
    if min(runs) > 1:
        one, two = a.mean(1), b.mean(1)
        p = permutation_test(one, two, permutations, seed)
        effect, delta = hedges_g(one, two, level), cliffs_delta(one, two, level)
    else:
        one, two = a.mean(0), b.mean(0)
        p = sign_flip_test(one, two, permutations, seed)
        effect, delta = nothing, paired_delta(one, two, level)
    return Comparison(key, *names, difference, p, NAN, effect, delta, runs, n)
