"""Areas under ROC curves of several runs over the same images: paired differences and means.

For binormal scores the 95 % interval of a difference of two models has 93-97 % coverage, but 91 %
for 30 + 30 images and areas of 0.98 and 0.95. Between equally good models p <= 0.05 in 3-5 % of
data sets, less often with fewer than 10 images of a class. tests/stats/test_auc.py has some of the
simulations, tests/stats/test_crossed.py those of groups of runs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.stats.auc import (
    auc_error,
    auc_limits,
    auc_variance,
    clustered_limits,
    log_odds_errors,
    log_odds_limits,
    placement_values,
)
from salix.stats.bootstrap import as_table
from salix.stats.clusters import ClusterDesign, known_codes, quantile, tail
from salix.stats.crossed import RunErrors, crossed_variance
from salix.stats.interval import NAN, Interval, difference_interval
from salix.typing import InputError

NEAR = 1e-12  # standard errors of proportions below this are 0 up to rounding


def auc_difference(
    a: Any, b: Any, labels: Any, *, level: float = 0.95, clusters: Any = None
) -> tuple[Interval, float]:
    r"""Difference of two correlated areas $\bar A_a - \bar A_b$, in [-1, 1], and its two-sided p.

    `a` and `b` are scores `[run, image]`, or `[image]` of one model, `labels[image]` 0 or 1;
    several runs count by their mean area, as fixed runs. With $V_{10}$ and $V_{01}$ the
    differences a less b of the placement values, $s^2 = S_{10} / m + S_{01} / n$: the limits are
    $d \pm z s$, within [-1, 1], and $p = 2 \Phi(-|d| / s)$, but at least $2^{1-k}$, the smallest
    p of a sign test of $k = \min(m, n)$ independent pairs of images. If s is 0 (both areas 1, or
    the same order twice) the limits are those of two independent areas (`difference_interval`),
    which are wider, and p is 1 for equal areas. A class of one image has p = 1, and limits only if
    both orders are perfect. Images without a finite score in every run are left out and counted;
    NaN for an empty class. `clusters[image]` names the cluster of dependent images of each: k are
    then the clusters that have images of the rarer class. Raises `InputError` for other labels or
    lengths that differ.

    DeLong, DeLong and Clarke-Pearson (1988), doi:10.2307/2531595, by the midranks of Sun and Xu
    (2014), doi:10.1109/LSP.2014.2337313.
    """
    return _fixed_difference(SharedImages.of((a, b), labels, clusters), level)


def _fixed_difference(shared: "SharedImages", level: float) -> tuple[Interval, float]:
    if shared.design is None:
        return shared.interval(NAN, (NAN, NAN)), NAN
    if shared.codes is None:
        differences = [p[0].mean(0) - p[1].mean(0) for p in shared.placements]
        return _difference(shared, auc_variance(*differences), np.inf, level)
    error = shared.errors(0).mean(0) - shared.errors(1).mean(0)
    variance, freedom = shared.design.variance(error), shared.design.freedom(error)
    return _difference(shared, variance, freedom, level)


def auc_group_difference(
    a: Any, b: Any, labels: Any, *, level: float = 0.95, clusters: Any = None
) -> tuple[Interval, float]:
    r"""Difference of the mean areas of two groups of runs over the same images, and its p.

    `a` and `b` are scores `[run, image]`; the runs are two independent samples, and the images one
    that all runs share: $d \pm t_\nu s$, within [-1, 1], and $p = 2 P(T_\nu > |d| / s)$, where
    $s^2$ is Welch's variance of the runs' areas and DeLong's of the mean placement values, with
    their interaction once and Satterthwaite's $\nu$ (`salix.stats.crossed`). Where a group has one
    run, the runs are fixed: `auc_difference`, also for the other rules.
    """
    return group_difference(SharedImages.of((a, b), labels, clusters), level)


def group_difference(shared: "SharedImages", level: float) -> tuple[Interval, float]:
    """Difference of the mean areas of two groups, and its p: see `auc_group_difference`."""
    if shared.design is None or min(len(v) for v in shared.areas) < 2:
        return _fixed_difference(shared, level)
    groups = [RunErrors(v, shared.errors(i)) for i, v in enumerate(shared.areas)]
    return _difference(shared, *crossed_variance(groups, shared.design), level)


def auc_group_interval(
    scores: Any, labels: Any, *, level: float = 0.95, clusters: Any = None
) -> Interval:
    r"""Mean area of runs, from `scores[run, image]`, with an interval over runs and images.

    On the logit scale, with the variance of `auc_group_difference` for one group. One run has the
    interval of `auc_interval`, and runs that are all perfect that of one of them.
    """
    shared = SharedImages.of((scores,), labels, clusters)
    if shared.design is None:
        return shared.interval(NAN, (NAN, NAN))
    (areas,), design = shared.areas, shared.design
    area = float(areas.mean())
    if len(areas) < 2 or area in (0.0, 1.0) or design.least_count() < 2:
        return shared.interval(area, shared.limits(0, level))
    variance, freedom = crossed_variance([RunErrors(areas, shared.errors(0))], design)
    # The part of the images on the scale of the log odds, which is greater near 1.
    own = shared.errors(0).mean(0)
    skewed = float((log_odds_errors(area, own, design) ** 2).sum()) / design.variance(own)
    half = quantile(freedom, (1 + level) / 2) * float(np.sqrt(variance * skewed))
    return shared.interval(area, log_odds_limits(area, half))


@dataclass(frozen=True, eq=False)
class SharedImages:
    """Placement values of groups of runs over the images that have a score in every run.

    `placements` are V10 and V01 [run, image] of each group, `areas` [run] theirs; `design` is None
    where a class has no image, and `codes` for independent images.
    """

    labels: np.ndarray
    codes: np.ndarray | None
    design: ClusterDesign | None
    placements: tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]
    areas: tuple[np.ndarray, ...]
    undefined: int

    @staticmethod
    def of(groups: tuple[Any, ...], labels: Any, clusters: Any) -> "SharedImages":
        """Placement values of `groups`, scores [run, image] each, of images with these labels."""
        tables, y = [as_table(g) for g in groups], np.asarray(labels)
        if any(t.shape[1:] != y.shape for t in tables) or not np.isin(y, (0, 1)).all():
            shapes = " and ".join(str(t.shape) for t in tables)
            raise InputError(
                f"scores {shapes}, labels {y.shape}: give each image a label, 0 or 1, and both "
                "models the same images"
            )
        known = np.all([np.isfinite(t).all(0) for t in tables], axis=0)
        y, undefined = y[known], int((~known).sum())
        if len(np.unique(y)) < 2:
            return SharedImages(y, None, None, ((), ()), (), undefined)
        codes = None if clusters is None else known_codes(clusters, known)
        values = [
            [placement_values(s[y == 1], s[y == 0]) for s in table[:, known]] for table in tables
        ]
        v10, v01 = (tuple(np.array([run[i] for run in g]) for g in values) for i in (0, 1))
        design, areas = ClusterDesign.of(len(y), codes, y), tuple(v.mean(1) for v in v10)
        return SharedImages(y, codes, design, (v10, v01), areas, undefined)

    def errors(self, group: int) -> np.ndarray:
        """Contributions [run, image] to the errors of the areas of a group."""
        return auc_error(self.placements[0][group], self.placements[1][group], self.labels)

    def limits(self, group: int, level: float) -> tuple[float, float]:
        """Limits of the mean area of a group for these very runs."""
        v10, v01 = (p[group].mean(0) for p in self.placements)
        area = float(v10.mean())
        if self.codes is None or self.design is None:
            return auc_limits(area, auc_variance(v10, v01), (len(v10), len(v01)), level)
        return clustered_limits(area, auc_error(v10, v01, self.labels), self.design, level)

    def interval(self, value: float, limits: tuple[float, float]) -> Interval:
        """Interval with the numbers of images and of clusters."""
        count = 0 if self.codes is None or self.design is None else self.design.count
        return Interval(value, *limits, len(self.labels), self.undefined, count)


def _difference(
    shared: SharedImages, variance: float, freedom: float, level: float
) -> tuple[Interval, float]:
    """Interval and p of a difference of this variance: see `auc_difference`."""
    areas = [float(v10.mean(0).mean()) for v10 in shared.placements[0]]
    error, d = float(np.sqrt(variance)), areas[0] - areas[1]
    smallest = 2.0 ** (1 - (shared.design.least_count() if shared.design else 0))
    if error > NEAR:
        half = quantile(freedom, (1 + level) / 2) * error
        p = max(2 * tail(freedom, abs(d) / error), smallest)
        return shared.interval(d, (max(d - half, -1.0), min(d + half, 1.0))), p
    n = len(shared.labels)
    first, second = (Interval(area, *shared.limits(i, level), n) for i, area in enumerate(areas))
    independent = difference_interval(first, second)
    p = smallest if abs(d) > NEAR else 1.0
    return shared.interval(d, (independent.low, independent.high)), p
