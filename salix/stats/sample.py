"""Sorted samples of one number per image, mergeable, and the difference of two means."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from salix.stats.interval import NAN, Interval, mean_interval
from salix.typing import InputError


@dataclass(frozen=True)
class Sample:
    """Finite values of one subset of images, ascending, and the count of NaN or infinite ones.

    A monoid: `merge` is associative and commutative, `empty()` its identity, and
    `of(x).merge(of(y))` equals `of` of both, so that a subset is accumulated part by part.
    """

    values: np.ndarray
    undefined: int = 0

    @staticmethod
    def empty() -> "Sample":
        """Sample without a value."""
        return Sample(np.zeros(0))

    @staticmethod
    def of(values: Any) -> "Sample":
        """Sort `values[image]`; a `Sample` is returned as it is. `InputError` for other shapes."""
        if isinstance(values, Sample):
            return values
        x = np.asarray(values, np.float64)
        if x.ndim != 1:
            raise InputError(f"values of shape {x.shape}: give one number per image")
        finite = np.sort(x[np.isfinite(x)])
        return Sample(finite, len(x) - len(finite))

    def merge(self, other: "Sample") -> "Sample":
        """Union of both samples."""
        both = np.concatenate([self.values, other.values])
        return Sample(np.sort(both, kind="stable"), self.undefined + other.undefined)

    @property
    def mean(self) -> Interval:
        """Mean with Student's interval, as `mean_interval`."""
        return replace(mean_interval(self.values), undefined=self.undefined)


def mean_difference(a: Any, b: Any, *, level: float = 0.95) -> Interval:
    r"""Mean of `a[image]` less that of `b[image]`, with Welch's interval, in their units.

    $\bar a - \bar b \pm t_\nu \sqrt{s_a^2 / m + s_b^2 / n}$ for independent samples of unequal
    variances. Values or `Sample`s; NaN and infinite ones are left out and counted. NaN for an
    empty sample, no limits for one of a single value. Raises `InputError` for other shapes.

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
    u, v = float(x.var(ddof=1)) / m, float(y.var(ddof=1)) / n
    half = 0.0
    if u + v > 0:
        freedom = (u + v) ** 2 / (u**2 / (m - 1) + v**2 / (n - 1))
        half = float(special.stdtrit(freedom, (1 + level) / 2) * np.sqrt(u + v))
    return Interval(value, value - half, value + half, m + n, undefined)
