"""Sorted samples of one number per image, mergeable, and the difference of two means."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from salix.stats.clusters import ClusterDesign, cluster_codes
from salix.stats.interval import NAN, Interval, mean_interval, share_interval
from salix.typing import InputError


@dataclass(frozen=True)
class Sample:
    """Finite values of one subset of images, ascending, and the count of NaN or infinite ones.

    A monoid: `merge` is associative and commutative, `empty()` its identity, and
    `of(x).merge(of(y))` equals `of` of both, so that a subset is accumulated part by part.
    `clusters` are the codes of the clusters of dependent images that the values belong to, of all
    images of a run; None for independent images.
    """

    values: np.ndarray
    undefined: int = 0
    clusters: np.ndarray | None = None

    @staticmethod
    def empty() -> "Sample":
        """Sample without a value."""
        return Sample(np.zeros(0))

    @staticmethod
    def of(values: Any, *, clusters: Any = None) -> "Sample":
        """Sort `values[image]`; a `Sample` is returned as it is. `InputError` for other shapes."""
        if isinstance(values, Sample):
            return values
        x = np.asarray(values, np.float64)
        if x.ndim != 1:
            raise InputError(f"values of shape {x.shape}: give one number per image")
        known = np.isfinite(x)
        if clusters is None:
            return Sample(np.sort(x[known]), int((~known).sum()))
        codes = np.asarray(clusters)
        if codes.shape != x.shape:
            raise InputError(f"clusters of shape {codes.shape} for {len(x)} images: give one each")
        order = np.argsort(x[known], kind="stable")
        return Sample(x[known][order], int((~known).sum()), codes[known][order])

    def merge(self, other: "Sample") -> "Sample":
        """Union of both samples."""
        both = np.concatenate([self.values, other.values])
        undefined = self.undefined + other.undefined
        if self.clusters is None or other.clusters is None:
            # An empty sample has no clusters to add.
            own = next((s.clusters for s in (self, other) if len(s.values) == len(both)), None)
            return Sample(np.sort(both, kind="stable"), undefined, own)
        order = np.argsort(both, kind="stable")
        codes = np.concatenate([self.clusters, other.clusters])
        return Sample(both[order], undefined, codes[order])

    @property
    def mean(self) -> Interval:
        """Mean with Student's interval, as `mean_interval`."""
        interval = mean_interval(self.values, clusters=self.clusters)
        return replace(interval, undefined=self.undefined)

    @property
    def share(self) -> Interval:
        """Share of the values that are 1, of 0 and 1, as `share_interval`."""
        interval = share_interval(self.values, clusters=self.clusters)
        return replace(interval, undefined=self.undefined)


def joint_clusters(a: Sample, b: Sample) -> np.ndarray | None:
    """Codes of the clusters of both samples, one after the other; None for independent images."""
    if a.clusters is None or b.clusters is None:
        return None
    both = np.concatenate([a.clusters, b.clusters])
    return cluster_codes(both, len(both))


def mean_difference(a: Any, b: Any, *, level: float = 0.95) -> Interval:
    r"""Mean of `a[image]` less that of `b[image]`, with Welch's interval, in their units.

    $\bar a - \bar b \pm t_\nu \sqrt{s_a^2 / m + s_b^2 / n}$ for independent samples of unequal
    variances. Values or `Sample`s; NaN and infinite ones are left out and counted. NaN for an
    empty sample, no limits for one of a single value. The images of `Sample`s with clusters are
    dependent within these, in one sample and across both. Raises `InputError` for other shapes.

    Welch (1947), doi:10.2307/2332510.
    """
    first, second = Sample.of(a), Sample.of(b)
    x, y, undefined = first.values, second.values, first.undefined + second.undefined
    m, n = len(x), len(y)
    if not m or not n:
        return Interval(NAN, NAN, NAN, m + n, undefined)
    value = float(x.mean() - y.mean())
    if min(m, n) < 2:
        return Interval(value, NAN, NAN, m + n, undefined)
    codes = joint_clusters(first, second)
    if codes is not None:
        error = np.concatenate([(x - x.mean()) / m, (y.mean() - y) / n])
        design = ClusterDesign.of(m + n, codes, np.repeat([0, 1], [m, n]))
        half = design.half_width(error, level)
        return Interval(value, value - half, value + half, m + n, undefined, design.count)
    u, v = float(x.var(ddof=1)) / m, float(y.var(ddof=1)) / n
    half = 0.0
    if u + v > 0:
        freedom = (u + v) ** 2 / (u**2 / (m - 1) + v**2 / (n - 1))
        half = float(special.stdtrit(freedom, (1 + level) / 2) * np.sqrt(u + v))
    return Interval(value, value - half, value + half, m + n, undefined)
