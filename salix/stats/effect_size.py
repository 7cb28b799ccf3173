"""Unitless effect sizes of two groups: Hedges' g and Cliff's delta, unpaired and paired."""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special, stats

from salix.stats.auc import auc_interval
from salix.stats.clusters import known_codes
from salix.stats.interval import NAN, Interval, mean_interval
from salix.typing import InputError


def hedges_g(a: Any, b: Any, *, level: float = 0.95) -> Interval:
    r"""Standardised difference of two groups of runs, $g = J(\nu) (\bar a - \bar b) / s$.

    s is the pooled standard deviation of $\nu = m + n - 2$ degrees of freedom, and
    $J(\nu) = \Gamma(\nu / 2) / (\sqrt{\nu / 2}\, \Gamma((\nu - 1) / 2))$ makes g unbiased for
    normal values: 0.80 for 3 and 3 runs, 0.90 for 5 and 5. Any real number; 1 is a standard
    deviation of the runs. The limits are exact for normal values of one variance: the $\delta$ at
    which the observed Student's t is a tail of the noncentral t. NaN without variance, for an
    empty group and for fewer than four runs: at one degree of freedom d has no mean, and J is 0.
    NaN and infinite values are left out and counted. Raises `InputError` unless given [run] twice.

    Hedges (1981), doi:10.3102/10769986006002107; limits by Hedges and Olkin (1985), sec. 5.E.
    """
    x, y, undefined = _finite(a, b)
    m, n, freedom = len(x), len(y), len(x) + len(y) - 2
    if min(m, n) == 0 or freedom < 2 or np.ptp(x) == np.ptp(y) == 0:
        return Interval(NAN, NAN, NAN, m + n, undefined)
    pooled = (((x - x.mean()) ** 2).sum() + ((y - y.mean()) ** 2).sum()) / freedom
    d, root = float((x.mean() - y.mean()) / np.sqrt(pooled)), np.sqrt(m * n / (m + n))
    log_j = special.gammaln(freedom / 2) - special.gammaln((freedom - 1) / 2)
    g = d * float(np.exp(log_j) / np.sqrt(freedom / 2))
    # The distribution function at the observed t falls with the noncentrality.
    low, high = (
        float(_noncentrality(freedom, d * root, p) / root)
        for p in ((1 + level) / 2, (1 - level) / 2)
    )
    return Interval(g, low, high, m + n, undefined)


def cliffs_delta(a: Any, b: Any, *, level: float = 0.95) -> Interval:
    r"""Cliff's delta of two groups of runs, $P(a > b) - P(a < b)$.

    Over all $m n$ pairs, in [-1, 1]: 1 where every run of a lies above every run of b, and
    $2 A - 1$ for the probability of superiority A, ties half, which is the area under the ROC
    curve: its limits are those of `auc_interval`. Free of units and of distributional assumptions.
    NaN for an empty group, and no limits for one of a single run unless the order is perfect. NaN
    and infinite values are left out and counted. Raises `InputError` unless given [run] twice.

    Cliff (1993), doi:10.1037/0033-2909.114.3.494.
    """
    x, y, undefined = _finite(a, b)
    labels = np.repeat([1, 0], [len(x), len(y)])
    area = auc_interval(np.concatenate([x, y]), labels, level=level)
    value, low, high = (2 * v - 1 for v in (area.value, area.low, area.high))
    return Interval(value, low, high, area.n, undefined)


def paired_delta(a: Any, b: Any, *, level: float = 0.95, clusters: Any = None) -> Interval:
    r"""Cliff's delta of pairs: the share of images with a above b, less the share with a below b.

    Of `a[image]` and `b[image]` of two models over the same images, in [-1, 1]. The limits solve
    $|\hat\delta - \delta| = z \sqrt{(q - \delta^2) / n}$ with q the share of images where the two
    differ; without ties they are Wilson's. Images without a value for both are left out and
    counted; NaN if none is left. `clusters[image]` names the cluster of dependent images of each:
    the limits are then those of `mean_interval` of the signs, within [-1, 1]. Raises `InputError`
    for images that differ in number.

    Cliff (1993), doi:10.1037/0033-2909.114.3.494, p. 499.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise InputError(f"values of shape {x.shape} and {y.shape}: give [image] twice")
    known = np.isfinite(x) & np.isfinite(y)
    n = int(known.sum())
    if not n:
        return Interval(NAN, NAN, NAN, 0, len(x))
    sign = np.sign(x[known] - y[known])
    if clusters is not None and known_codes(clusters, known) is not None:
        signs = np.full(len(x), NAN)
        signs[known] = sign
        interval = mean_interval(signs, level=level, clusters=clusters)
        low, high = np.clip([interval.low, interval.high], -1, 1).tolist()
        return replace(interval, low=low, high=high)
    delta, differ = float(sign.mean()), float(np.abs(sign).mean())
    z2 = float(stats.norm.ppf((1 + level) / 2)) ** 2 / n
    centre = delta / (1 + z2)
    half = float(np.sqrt(z2 * max(differ * (1 + z2) - delta**2, 0))) / (1 + z2)
    return Interval(delta, max(centre - half, -1.0), min(centre + half, 1.0), n, len(x) - n)


def _finite(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray, int]:
    """Finite values of two groups of runs, and the number of the others."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.ndim != 1 or y.ndim != 1:
        raise InputError(f"groups of shape {x.shape} and {y.shape}: give one number per run")
    finite = x[np.isfinite(x)], y[np.isfinite(y)]
    return *finite, len(x) + len(y) - len(finite[0]) - len(finite[1])


def _noncentrality(freedom: int, t: float, p: float) -> float:
    """Noncentrality at which the noncentral t distribution has probability p below t."""
    if abs(t) > 1000:
        # The normal part of t is negligible here, and SciPy's inverse does not converge.
        tail = p if t < 0 else 1 - p
        return t * float(np.sqrt(stats.chi2.ppf(tail, freedom) / freedom))
    return float(special.nctdtrinc(freedom, p, t))
