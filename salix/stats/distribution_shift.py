"""Shift between two independent samples: rank, Kolmogorov-Smirnov and Wasserstein distances.

The subsets share no image, so they are independent samples; groups of runs over the same images
are compared by `salix.stats.compare`. The empirical distance D of two distributions is never below
0 and is biased upwards. By the triangle inequality its error is at most the norm of the error of
the two distribution functions, whose quantile q gives the limits D - q and D + q: a lower limit
above 0 rejects equality of the distributions, at the level of the interval.

Of images in clusters the error of the distribution functions is drawn from its cluster-robust
covariance (`salix.stats.clustered_samples`), scaled to Student's quantile.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special

from salix.stats.auc import auc_limits
from salix.stats.clustered_samples import ClusteredSamples
from salix.stats.interval import NAN, Interval
from salix.stats.sample import Sample

STEPS = 100  # equiprobable intervals of the pooled sample
DRAWS = 1000  # Brownian bridges


@dataclass(frozen=True)
class DistributionShift:
    """Empirical distribution functions of two samples a and b at every distinct value.

    `values` ascend; `a` and `b` are the numbers of values of each sample up to and including each.
    `clustered` are the two samples where their images are in clusters.
    """

    values: np.ndarray
    a: np.ndarray
    b: np.ndarray
    undefined: int
    clustered: "ClusteredSamples | None" = None

    @staticmethod
    def of(a: Any, b: Any) -> "DistributionShift":
        """Merge the values `[image]` of two subsets, or their `Sample`s."""
        first, second = Sample.of(a), Sample.of(b)
        both = np.concatenate([first.values, second.values])
        order = np.argsort(both, kind="stable")  # linear for two ascending runs
        x, count_a = both[order], np.cumsum(order < len(first.values))
        last = np.flatnonzero(np.diff(x, append=np.inf))
        undefined = first.undefined + second.undefined
        counts = count_a[last], last + 1 - count_a[last]
        return DistributionShift(x[last], *counts, undefined, ClusteredSamples.of(first, second))

    @property
    def sizes(self) -> tuple[int, int]:
        """Sizes of the two samples."""
        return (int(self.a[-1]), int(self.b[-1])) if len(self.values) else (0, 0)

    @property
    def cdf_difference(self) -> np.ndarray:
        """Difference of the two distribution functions, $F_a - F_b$, at each value."""
        m, n = self.sizes
        return self.a / m - self.b / n

    def auc(self, *, level: float = 0.95) -> Interval:
        r"""Probability of superiority $P(a > b) + P(a = b) / 2$, in [0, 1]; 0.5 without a shift.

        The area under the ROC curve of the value as a detector of a, with the limits of
        `auc_interval`, in linear time. NaN for an empty sample.
        """
        m, n = self.sizes
        if not m or not n:
            return Interval(NAN, NAN, NAN, m + n, self.undefined)
        if self.clustered:
            return self._interval_of(*self.clustered.auc(level))
        mass_a, mass_b = np.diff(self.a, prepend=0), np.diff(self.b, prepend=0)
        # Twice the placement values in counts, so that ties count half in whole numbers.
        v10, v01 = 2 * self.b - mass_b, 2 * m - (2 * self.a - mass_a)
        area = int((mass_a * v10).sum()) / (2 * m * n)
        variance = NAN
        if min(m, n) > 1:
            variance_a = (mass_a * (v10 / (2 * n) - area) ** 2).sum() / (m - 1) / m
            variance_b = (mass_b * (v01 / (2 * m) - area) ** 2).sum() / (n - 1) / n
            variance = float(variance_a + variance_b)
        limits = auc_limits(area, variance, (m, n), level)
        return Interval(area, *limits, m + n, self.undefined)

    def kolmogorov(self, *, level: float = 0.95) -> Interval:
        r"""Kolmogorov-Smirnov distance $\sup_x |F_a(x) - F_b(x)|$, in [0, 1].

        Limits $D \pm K^{-1}(1 - \alpha) \sqrt{1 / m + 1 / n}$ by Kolmogorov's distribution; the
        lower may lie below 0. Coverage is at least `level` in large samples. NaN for an empty
        sample.

        Smirnov (1939); Massey (1951), doi:10.2307/2280095.
        """
        m, n = self.sizes
        if not m or not n:
            return Interval(NAN, NAN, NAN, m + n, self.undefined)
        distance = float(np.abs(self.cdf_difference).max())
        if self.clustered:
            margin = self.clustered.margin(lambda error, _: error.max(1), level)
            return self._interval(distance, margin, upper=1.0)
        margin = float(special.kolmogi(1 - level)) * np.sqrt(1 / m + 1 / n)
        return self._interval(distance, margin, upper=1.0)

    def wasserstein(self, *, level: float = 0.95) -> Interval:
        r"""1-Wasserstein distance $\int |F_a - F_b|\,dx$, in the units of the values.

        The mean displacement that turns one distribution into the other; the size of a pure
        translation. Limits $W \pm q \sqrt{1 / m + 1 / n}$ with q the quantile of
        $\int |B(H(x))|\,dx$ for Brownian bridges B; the lower may lie below 0. Coverage is at
        least `level` in large samples. NaN for an empty sample.

        Vallender (1974), doi:10.1137/1118101; del Barrio, Giné and Matrán (1999),
        doi:10.1214/aop/1022677394, for the limit law.
        """
        m, n = self.sizes
        if not m or not n:
            return Interval(NAN, NAN, NAN, m + n, self.undefined)
        distance = float(np.abs(self.cdf_difference[:-1]) @ np.diff(self.values))
        if self.clustered:
            margin = self.clustered.margin(lambda error, widths: error[:, :-1] @ widths, level)
            return self._interval(distance, margin, upper=np.inf)
        # With H = (n F_a + m F_b) / (m + n) the bridge B(H) has the covariance of the error plus
        # a multiple of (F_a - F_b)(x) (F_a - F_b)(y), so its norms are stochastically larger
        # (Anderson, 1955, doi:10.2307/2032333) for any two distributions.
        height = (self.a * (n / m) + self.b * (m / n)) / (m + n)
        cuts = np.searchsorted(height, np.arange(STEPS + 1) / STEPS * height[-1])
        norms = _absolute_bridges() @ np.diff(self.values[cuts])
        margin = float(np.quantile(norms, level)) * np.sqrt(1 / m + 1 / n)
        return self._interval(distance, margin, upper=np.inf)

    def _interval(self, distance: float, margin: float, *, upper: float) -> Interval:
        # Not min(): a margin of NaN, of a single cluster, has no limits.
        return self._interval_of(distance, distance - margin, np.minimum(distance + margin, upper))

    def _interval_of(self, value: float, low: float, high: float) -> Interval:
        count = self.clustered.design.count if self.clustered else 0
        return Interval(value, float(low), float(high), sum(self.sizes), self.undefined, count)


@lru_cache(maxsize=1)
def _absolute_bridges() -> np.ndarray:
    """Absolute values of Brownian bridges at the middle of each step, `[draw step]`."""
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(DRAWS, 2 * STEPS)), axis=1) / np.sqrt(2 * STEPS)
    bridge = walk - walk[:, -1:] * np.arange(1, 2 * STEPS + 1) / (2 * STEPS)
    return np.abs(bridge[:, ::2])
