"""How far two collections of images are apart: in mean, in distribution and in rank.

Two collections share no image, so they are independent samples; groups of runs, whose images are
pairs, are told apart by `salix.stats.compare`. A distance D of two distributions is never below
0, and what is found lies above it by chance alone. By the triangle inequality it is off by no more
than the norm of the error of the two distributions, whose quantile q gives D - q and D + q: a
lower limit above 0 rejects that they are one, at the level of the interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special

from salix.stats.interval import NAN, Interval, area_limits, mean_interval
from salix.typing import InputError

STEPS = 100  # parts of equal chance that an axis is cut into
DRAWS = 1000  # Brownian bridges


@dataclass(frozen=True)
class Sample:
    """The finite values of one collection, rising, and how many were NaN or infinite."""

    values: np.ndarray
    undefined: int = 0

    @staticmethod
    def of(values: Any) -> "Sample":
        """Sort the values `[image]` of a collection. Raises `InputError` for another shape."""
        if isinstance(values, Sample):
            return values
        given = np.asarray(values, np.float64)
        if given.ndim != 1:
            raise InputError(f"values of shape {given.shape}: give one number an image")
        known = np.sort(given[np.isfinite(given)])
        return Sample(known, len(given) - len(known))

    def merge(self, other: "Sample") -> "Sample":
        """Return both as one collection."""
        both = np.concatenate([self.values, other.values])
        return Sample(np.sort(both, kind="stable"), self.undefined + other.undefined)

    @property
    def mean(self) -> Interval:
        """Mean with Student's interval, as `mean_interval`."""
        return replace(mean_interval(self.values), undefined=self.undefined)


def difference_of_means(a: Any, b: Any, level: float = 0.95) -> Interval:
    r"""Mean of `a[image]` less that of `b[image]`, with Welch's interval, in their units.

    $\bar a - \bar b \pm t_\nu \sqrt{s_a^2 / m + s_b^2 / n}$ for independent samples, each of its
    own variance. Values or `Sample`s; NaN and infinite ones are left out and counted. NaN for an
    empty sample, without limits for one of a single value. Raises `InputError` for other shapes.

    Welch (1947), doi:10.2307/2332510.
    """
    one, two = Sample.of(a), Sample.of(b)
    m, n, undefined = len(one.values), len(two.values), one.undefined + two.undefined
    if not m or not n:
        return Interval(NAN, NAN, NAN, m + n, undefined)
    value = float(one.values.mean() - two.values.mean())
    if min(m, n) < 2:
        return Interval(value, NAN, NAN, m + n, undefined)
    u, v = float(one.values.var(ddof=1)) / m, float(two.values.var(ddof=1)) / n
    half = 0.0
    if u + v > 0:
        freedom = (u + v) ** 2 / (u**2 / (m - 1) + v**2 / (n - 1))
        half = float(special.stdtrit(freedom, (1 + level) / 2) * np.sqrt(u + v))
    return Interval(value, value - half, value + half, m + n, undefined)


@dataclass(frozen=True)
class Pair:
    """Two samples on one axis: how many of each do not lie above each value that occurs."""

    at: np.ndarray
    a: np.ndarray
    b: np.ndarray
    undefined: int

    @staticmethod
    def of(a: Any, b: Any) -> "Pair":
        """Merge the values `[image]` of two collections, or their `Sample`s."""
        one, two = Sample.of(a), Sample.of(b)
        both = np.concatenate([one.values, two.values])
        order = np.argsort(both, kind="stable")  # two rising runs are merged, not sorted
        x, first = both[order], np.cumsum(order < len(one.values))
        last = np.flatnonzero(np.diff(x, append=np.inf))
        undefined = one.undefined + two.undefined
        return Pair(x[last], first[last], last + 1 - first[last], undefined)

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of values."""
        return (int(self.a[-1]), int(self.b[-1])) if len(self.at) else (0, 0)

    @property
    def gap(self) -> np.ndarray:
        """Difference of the two distribution functions, $F_a - F_b$, at each value."""
        m, n = self.sizes
        return self.a / m - self.b / n

    def auc(self, level: float = 0.95) -> Interval:
        r"""$P(a > b) + P(a = b) / 2$, in [0, 1]: 0.5 where a cannot be told from b by rank.

        The area under the ROC curve of the number as a detector of a, with the limits of
        `auc_interval`, in linear time. NaN for an empty sample.
        """
        m, n = self.sizes
        if not m or not n:
            return Interval(NAN, NAN, NAN, m + n, self.undefined)
        of_a, of_b = np.diff(self.a, prepend=0), np.diff(self.b, prepend=0)
        # Twice the number of the other sample below each value: ties count half.
        ahead, behind = 2 * self.b - of_b, 2 * m - (2 * self.a - of_a)
        area = int((of_a * ahead).sum()) / (2 * m * n)
        variance = NAN
        if min(m, n) > 1:
            of_ahead = (of_a * (ahead / (2 * n) - area) ** 2).sum() / (m - 1) / m
            of_behind = (of_b * (behind / (2 * m) - area) ** 2).sum() / (n - 1) / n
            variance = float(of_ahead + of_behind)
        limits = area_limits(area, variance, (m, n), level)
        return Interval(area, *limits, m + n, self.undefined)

    def kolmogorov(self, level: float = 0.95) -> Interval:
        r"""Kolmogorov-Smirnov distance $\sup_x |F_a(x) - F_b(x)|$, in [0, 1].

        Limits $D \pm K^{-1}(1 - \alpha) \sqrt{1 / m + 1 / n}$ by Kolmogorov's distribution; the
        lower may lie below 0. They hold the truth at least as often as `level` says in large
        samples. NaN for an empty sample.

        Smirnov (1939); Massey (1951), doi:10.2307/2280095.
        """
        m, n = self.sizes
        if not m or not n:
            return Interval(NAN, NAN, NAN, m + n, self.undefined)
        distance = float(np.abs(self.gap).max())
        reach = float(special.kolmogi(1 - level)) * np.sqrt(1 / m + 1 / n)
        return self._around(distance, reach, 1.0)

    def wasserstein(self, level: float = 0.95) -> Interval:
        r"""1-Wasserstein distance $\int |F_a - F_b|\,dx$, in the units of the values.

        How far values must be moved on average to turn one distribution into the other; for a
        mere shift, its size. Limits $W \pm q \sqrt{1 / m + 1 / n}$ with q the quantile of
        $\int |B(H(x))|\,dx$ for Brownian bridges B; the lower may lie below 0. They hold the truth
        at least as often as `level` says in large samples. NaN for an empty sample.

        Vallender (1974), doi:10.1137/1118101; del Barrio, Giné and Matrán (1999),
        doi:10.1214/aop/1022677394, for the limit law.
        """
        m, n = self.sizes
        if not m or not n:
            return Interval(NAN, NAN, NAN, m + n, self.undefined)
        distance = float(np.abs(self.gap[:-1]) @ np.diff(self.at))
        # With H = (n F_a + m F_b) / (m + n) the bridge B(H) has the covariance of the error plus
        # a multiple of (F_a - F_b)(x) (F_a - F_b)(y): its norms are the larger ones (Anderson,
        # 1955, doi:10.2307/2032333), whatever the two distributions are.
        height = (self.a * (n / m) + self.b * (m / n)) / (m + n)
        cuts = np.searchsorted(height, np.arange(STEPS + 1) / STEPS * height[-1])
        widths = np.diff(self.at[cuts])
        norms = _bridges() @ widths
        reach = float(np.quantile(norms, level)) * np.sqrt(1 / m + 1 / n)
        return self._around(distance, reach, np.inf)

    def _around(self, distance: float, reach: float, most: float) -> Interval:
        low, high = float(distance - reach), float(min(distance + reach, most))
        return Interval(distance, low, high, sum(self.sizes), self.undefined)


def over_runs(found: Sequence[Interval], level: float = 0.95) -> Interval:
    r"""Mean over runs of what each run's images gave, for other runs and other images.

    $\bar x \pm \sqrt{h^2 + \bar d^2}$: h is Student's half-width of the runs' values, $\bar d$ the
    mean distance of their own limits, which is the most that images in common can cost. What is
    special to a run on an image counts in both: the interval holds the truth at least as often as
    `level` says. One run has its own interval. `n` runs have a value, `undefined` have none; NaN
    limits where a run has none.

    Zou and Donner (2008), doi:10.1002/sim.3095, for limits recovered from limits.
    """
    known = [i for i in found if np.isfinite(i.value)]
    runs = mean_interval([i.value for i in found], level)
    if len(known) < 2:
        return known[0] if known else runs
    half = runs.high - runs.value
    down = np.hypot(half, np.mean([i.value - i.low for i in known]))
    up = np.hypot(half, np.mean([i.high - i.value for i in known]))
    low, high = float(runs.value - down), float(runs.value + up)
    return Interval(runs.value, low, high, runs.n, runs.undefined)


@lru_cache(maxsize=1)
def _bridges() -> np.ndarray:
    """Return |B| of Brownian bridges in the middle of each step, [draw step]."""
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(DRAWS, 2 * STEPS)), axis=1) / np.sqrt(2 * STEPS)
    bridge = walk - walk[:, -1:] * np.arange(1, 2 * STEPS + 1) / (2 * STEPS)
    return np.abs(bridge[:, ::2])
