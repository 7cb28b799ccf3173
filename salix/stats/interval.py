"""Means, shares and areas under the ROC curve, each with its interval."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from salix.typing import InputError

NAN = float("nan")


@dataclass(frozen=True)
class Interval:
    """An estimate, the limits of its interval, and what it was made from.

    `n` values went in; `undefined` further ones were NaN or infinite and were left out. What
    cannot be known (the mean of nothing, the limits of a single value) is NaN.
    """

    value: float
    low: float
    high: float
    n: int
    undefined: int = 0


def mean_interval(values: Any, level: float = 0.95) -> Interval:
    r"""Mean of a sample with Student's interval, $\bar x \pm t_{n-1} s / \sqrt n$.

    In the units of the values. NaN and infinite values are left out and counted; one value has
    no limits. Exact for normal values, and close for others by the central limit theorem.
    """
    given = np.asarray(values, np.float64).ravel()
    x = given[np.isfinite(given)]
    n, undefined = len(x), len(given) - len(x)
    if n < 2:
        return Interval(float(x[0]) if n else NAN, NAN, NAN, n, undefined)
    mean = float(x.mean())
    half = float(stats.t.ppf((1 + level) / 2, n - 1) * x.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half, n, undefined)


def share_interval(hits: int, n: int, level: float = 0.95) -> Interval:
    r"""Share of hits among n trials with the score interval, in [0, 1].

    The p for which $|\hat p - p| \le z \sqrt{p (1 - p) / n}$: it has a width at 0 and 1 too. NaN
    for no trial. Raises `InputError` for more hits than trials.

    Wilson (1927), doi:10.2307/2276774.
    """
    if not 0 <= hits <= n:
        raise InputError(f"{hits} hits in {n} trials: give 0 to {n}")
    if n == 0:
        return Interval(NAN, NAN, NAN, 0)
    z = float(stats.norm.ppf((1 + level) / 2))
    p = hits / n
    centre, scale = p + z * z / (2 * n), 1 + z * z / n
    half = z * float(np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2))
    # At the ends of the scale the limit is exact; rounding would leave it beside.
    low = 0.0 if hits == 0 else (centre - half) / scale
    high = 1.0 if hits == n else (centre + half) / scale
    return Interval(p, low, high, n)


def auc_interval(scores: Any, labels: Any, level: float = 0.95) -> Interval:
    r"""Area under the ROC curve, $P(s_1 > s_0) + P(s_1 = s_0) / 2$, in [0, 1], with its interval.

    DeLong's variance on the scale of the logit, so that the limits stay in [0, 1]. Scores that
    separate the classes perfectly have no variance: they are read as k = min(m, n) independent
    pairs, all in the right order, whose exact limit is $(\alpha / 2)^{1/k}$. Labels are 0 and 1;
    NaN and infinite scores are left out and counted. NaN unless both classes are there, and no
    limits for a class of one image. Raises `InputError` for other labels or lengths that differ.

    DeLong, DeLong and Clarke-Pearson (1988), doi:10.2307/2531595, by the midranks of Sun and Xu
    (2014), doi:10.1109/LSP.2014.2337313; Pepe (2003), sec. 5.2, for the logit.
    """
    s, y = np.asarray(scores, np.float64), np.asarray(labels)
    if s.shape != y.shape or s.ndim != 1 or not np.isin(y, (0, 1)).all():
        raise InputError(f"scores {s.shape}, labels {y.shape}: give one label, 0 or 1, a score")
    known = np.isfinite(s)
    one, zero = s[known & (y == 1)], s[known & (y == 0)]
    m, n, undefined = len(one), len(zero), int((~known).sum())
    if not m or not n:
        return Interval(NAN, NAN, NAN, m + n, undefined)
    ahead, behind = placements(one, zero)
    auc = float(ahead.mean())
    limits = area_limits(auc, area_variance(ahead, behind), (m, n), level)
    return Interval(auc, *limits, m + n, undefined)


def placements(one: np.ndarray, zero: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of the other class that each image is on the right side of, ties half.

    DeLong's V10 of the scores `one` and V01 of the scores `zero`; the mean of either is the area.
    """
    m, n = len(one), len(zero)
    ranks = stats.rankdata(np.concatenate([one, zero]))
    ahead = (ranks[:m] - stats.rankdata(one)) / n
    return ahead, 1 - (ranks[m:] - stats.rankdata(zero)) / m


def area_variance(ahead: np.ndarray, behind: np.ndarray) -> float:
    """Return DeLong's variance of an area, or of a difference of areas, from its placements."""
    return _variance(ahead) / len(ahead) + _variance(behind) / len(behind)


def _variance(x: np.ndarray) -> float:
    return float(x.var(ddof=1)) if len(x) > 1 else NAN


def area_limits(
    area: float, variance: float, sizes: tuple[int, int], level: float
) -> tuple[float, float]:
    """Return the limits of an area under the ROC curve of two samples: see `auc_interval`."""
    alpha, least = 1 - level, min(sizes)
    if area in (0.0, 1.0):
        limit = float((alpha / 2) ** (1 / least))
        return (limit, 1.0) if area == 1 else (0.0, 1 - limit)
    if least == 1:
        return NAN, NAN
    half = special.ndtri(1 - alpha / 2) * np.sqrt(variance) / (area * (1 - area))
    odds = special.logit(area)
    return float(special.expit(odds - half)), float(special.expit(odds + half))


def difference_interval(a: Interval, b: Interval) -> Interval:
    r"""Difference a - b of two estimates, its limits recovered from theirs.

    $d - \sqrt{(a - a_l)^2 + (b_u - b)^2}$ and $d + \sqrt{(a_u - a)^2 + (b - b_l)^2}$, for
    independent estimates; conservative for those that rise and fall together, as two models'
    do over the same images. NaN limits where one of them is NaN.

    Zou and Donner (2008), doi:10.1002/sim.3095; for shares Newcombe (1998).
    """
    value = a.value - b.value
    down = float(np.hypot(a.value - a.low, b.high - b.value))
    up = float(np.hypot(a.high - a.value, b.value - b.low))
    return Interval(value, value - down, value + up, a.n + b.n, a.undefined + b.undefined)
