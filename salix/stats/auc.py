"""Areas under ROC curves: DeLong intervals of one area and of paired differences.

For binormal scores the 95 % interval of a difference has 93-97 % coverage, but 91 % for 30 + 30
images and areas of 0.98 and 0.95. Between equally good models p <= 0.05 in 3-5 % of data sets,
less often with fewer than 10 images of a class. tests/stats/test_auc.py has some of the
simulations.
"""

from typing import Any

import numpy as np
from scipy import special, stats

from salix.stats.bootstrap import as_table
from salix.stats.interval import NAN, Interval, difference_interval
from salix.typing import InputError

NEAR = 1e-12  # standard errors of proportions below this are 0 up to rounding


def auc_interval(scores: Any, labels: Any, *, level: float = 0.95) -> Interval:
    r"""Area under the ROC curve, $P(s_1 > s_0) + P(s_1 = s_0) / 2$, in [0, 1], with its interval.

    DeLong's variance on the logit scale, so that the limits stay in [0, 1]. Scores that separate
    the classes perfectly have no variance: they count as k = min(m, n) independent pairs, all in
    the right order, whose exact limit is $(\alpha / 2)^{1/k}$. Labels are 0 and 1; NaN and
    infinite scores are left out and counted. NaN for an empty class, and no limits for a class of
    one image. Raises `InputError` for other labels or lengths that differ.

    DeLong, DeLong and Clarke-Pearson (1988), doi:10.2307/2531595, by the midranks of Sun and Xu
    (2014), doi:10.1109/LSP.2014.2337313; Pepe (2003), sec. 5.2, for the logit.
    """
    s, y = np.asarray(scores, np.float64), np.asarray(labels)
    if s.shape != y.shape or s.ndim != 1 or not np.isin(y, (0, 1)).all():
        raise InputError(f"scores {s.shape}, labels {y.shape}: give each score a label, 0 or 1")
    known = np.isfinite(s)
    positive, negative = s[known & (y == 1)], s[known & (y == 0)]
    m, n, undefined = len(positive), len(negative), int((~known).sum())
    if not m or not n:
        return Interval(NAN, NAN, NAN, m + n, undefined)
    v10, v01 = placement_values(positive, negative)
    auc = float(v10.mean())
    limits = auc_limits(auc, auc_variance(v10, v01), (m, n), level)
    return Interval(auc, *limits, m + n, undefined)


def auc_difference(a: Any, b: Any, labels: Any, *, level: float = 0.95) -> tuple[Interval, float]:
    r"""Difference of two correlated areas $\bar A_a - \bar A_b$, in [-1, 1], and its two-sided p.

    `a` and `b` are scores `[run, image]`, or `[image]` of one model, `labels[image]` 0 or 1;
    several runs count by their mean area, as fixed runs. With $V_{10}$ and $V_{01}$ the
    differences a less b of the placement values, $s^2 = S_{10} / m + S_{01} / n$: the limits are
    $d \pm z s$, within [-1, 1], and $p = 2 \Phi(-|d| / s)$, but at least $2^{1-k}$, the smallest
    p of a sign test of $k = \min(m, n)$ independent pairs of images. If s is 0 (both areas 1, or
    the same order twice) the limits are those of two independent areas (`difference_interval`),
    which are wider, and p is 1 for equal areas. A class of one image has p = 1, and limits only if
    both orders are perfect. Images without a finite score in every run are left out and counted;
    NaN for an empty class. Raises `InputError` for other labels or lengths that differ.

    DeLong, DeLong and Clarke-Pearson (1988), doi:10.2307/2531595, by the midranks of Sun and Xu
    (2014), doi:10.1109/LSP.2014.2337313.
    """
    first, second, y = as_table(a), as_table(b), np.asarray(labels)
    if not first.shape[1:] == second.shape[1:] == y.shape or not np.isin(y, (0, 1)).all():
        raise InputError(
            f"scores {first.shape} and {second.shape}, labels {y.shape}: give each image a label, "
            "0 or 1, and both models the same images"
        )
    known = np.isfinite(first).all(0) & np.isfinite(second).all(0)
    positive, negative = known & (y == 1), known & (y == 0)
    m, n, undefined = int(positive.sum()), int(negative.sum()), int((~known).sum())
    if not m or not n:
        return Interval(NAN, NAN, NAN, m + n, undefined), NAN
    values = []  # V10 and V01 of either model, averaged over its runs
    for scores in (first, second):
        runs = [placement_values(s[positive], s[negative]) for s in scores]
        values.append([np.mean(v, axis=0) for v in zip(*runs, strict=True)])
    areas = [float(v10.mean()) for v10, _ in values]
    (a10, a01), (b10, b01) = values
    error = float(np.sqrt(auc_variance(a10 - b10, a01 - b01)))
    d, smallest = areas[0] - areas[1], 2.0 ** (1 - min(m, n))
    if error > NEAR:
        half = float(special.ndtri((1 + level) / 2)) * error
        p = max(2 * float(special.ndtr(-abs(d) / error)), smallest)
        return Interval(d, max(d - half, -1.0), min(d + half, 1.0), m + n, undefined), p
    independent = difference_interval(
        *(
            Interval(area, *auc_limits(area, auc_variance(*v), (m, n), level), m + n)
            for area, v in zip(areas, values, strict=True)
        )
    )
    p = smallest if abs(d) > NEAR else 1.0
    return Interval(d, independent.low, independent.high, m + n, undefined), p


def placement_values(positive: np.ndarray, negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Proportion of the other class that each image is ranked correctly against, ties half.

    DeLong's V10 of the scores `positive` and V01 of the scores `negative`; either has the area
    under the ROC curve for its mean.
    """
    m, n = len(positive), len(negative)
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    v10 = (ranks[:m] - stats.rankdata(positive)) / n
    return v10, 1 - (ranks[m:] - stats.rankdata(negative)) / m


def auc_variance(v10: np.ndarray, v01: np.ndarray) -> float:
    """DeLong's variance of an area, or of a difference of areas, from its placement values."""
    return sum(float(v.var(ddof=1)) / len(v) if len(v) > 1 else NAN for v in (v10, v01))


def auc_limits(
    area: float, variance: float, sizes: tuple[int, int], level: float
) -> tuple[float, float]:
    """Confidence limits of an area under the ROC curve of two samples: see `auc_interval`."""
    alpha, smaller = 1 - level, min(sizes)
    if area in (0.0, 1.0):
        limit = float((alpha / 2) ** (1 / smaller))
        return (limit, 1.0) if area == 1 else (0.0, 1 - limit)
    if smaller == 1:
        return NAN, NAN
    half = special.ndtri(1 - alpha / 2) * np.sqrt(variance) / (area * (1 - area))
    log_odds = special.logit(area)
    return float(special.expit(log_odds - half)), float(special.expit(log_odds + half))
