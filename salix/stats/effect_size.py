"""Sizes of effects: how far apart two groups are, on scales that have no units."""

from typing import Any

import numpy as np
from scipy import special, stats

from salix.stats.interval import NAN, Interval, auc_interval
from salix.typing import InputError


def hedges_g(a: Any, b: Any, level: float = 0.95) -> Interval:
    r"""Standardised difference of two groups of runs, $g = J(\nu) (\bar a - \bar b) / s$.

    s is the pooled standard deviation of $\nu = m + n - 2$ degrees of freedom, and
    $J(\nu) = \Gamma(\nu / 2) / (\sqrt{\nu / 2}\, \Gamma((\nu - 1) / 2))$ makes g unbiased for
    normal values: 0.80 for 3 and 3 runs, 0.90 for 5 and 5. Any real number; 1 is a standard
    deviation of the runs. The limits are exact for normal values of one variance: the $\delta$ at
    which Student's t found is a tail of the noncentral t. NaN without variance, for an empty
    group and for fewer than four runs: at one degree of freedom d has no mean, and J is 0. NaN
    and infinite values are left out and counted. Raises `InputError` unless given [run] twice.

    Hedges (1981), doi:10.3102/10769986006002107; limits by Hedges and Olkin (1985), sec. 5.E.
    """
    one, two, undefined = _finite(a, b)
    m, n, freedom = len(one), len(two), len(one) + len(two) - 2
    if min(m, n) == 0 or freedom < 2 or np.ptp(one) == np.ptp(two) == 0:
        return Interval(NAN, NAN, NAN, m + n, undefined)
    pooled = (((one - one.mean()) ** 2).sum() + ((two - two.mean()) ** 2).sum()) / freedom
    d, root = float((one.mean() - two.mean()) / np.sqrt(pooled)), np.sqrt(m * n / (m + n))
    log_j = special.gammaln(freedom / 2) - special.gammaln((freedom - 1) / 2)
    g = d * float(np.exp(log_j) / np.sqrt(freedom / 2))
    # The greater the noncentrality, the less of t lies below the one found.
    low, high = (
        float(_noncentrality(freedom, d * root, p) / root)
        for p in ((1 + level) / 2, (1 - level) / 2)
    )
    return Interval(g, low, high, m + n, undefined)


def cliffs_delta(a: Any, b: Any, level: float = 0.95) -> Interval:
    r"""How much oftener a run of a lies above a run of b than below, $P(a > b) - P(a < b)$.

    Over all $m n$ pairs, in [-1, 1]: 1 where every run of a lies above every run of b, and
    $2 A - 1$ for the probability of superiority A, ties half, which is the area under the ROC
    curve: its limits are `auc_interval`'s. It needs no scale and no shape. NaN for an empty group,
    and no limits for one of a single run unless the order is perfect. NaN and infinite values are
    left out and counted. Raises `InputError` unless given [run] twice.

    Cliff (1993), doi:10.1037/0033-2909.114.3.494.
    """
    one, two, undefined = _finite(a, b)
    labels = np.repeat([1, 0], [len(one), len(two)])
    area = auc_interval(np.concatenate([one, two]), labels, level)
    value, low, high = (2 * x - 1 for x in (area.value, area.low, area.high))
    return Interval(value, low, high, area.n, undefined)


def paired_delta(a: Any, b: Any, level: float = 0.95) -> Interval:
    r"""Share of images on which model a lies above model b, less the share where it lies below.

    Of `a[image]` and `b[image]` over the same images, in [-1, 1]: Cliff's delta of pairs. The
    limits solve $|\hat\delta - \delta| = z \sqrt{(q - \delta^2) / n}$ with q the share of images
    where the two differ; without ties they are Wilson's. NaN if no image has a value for both,
    which are left out and counted. Raises `InputError` for images that differ in number.

    Cliff (1993), doi:10.1037/0033-2909.114.3.494, p. 499.
    """
    one, two = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if one.shape != two.shape or one.ndim != 1:
        raise InputError(f"values of shape {one.shape} and {two.shape}: give [image] twice")
    known = np.isfinite(one) & np.isfinite(two)
    n = int(known.sum())
    if not n:
        return Interval(NAN, NAN, NAN, 0, len(one))
    sign = np.sign(one[known] - two[known])
    delta, differ = float(sign.mean()), float(np.abs(sign).mean())
    z2 = float(stats.norm.ppf((1 + level) / 2)) ** 2 / n
    centre = delta / (1 + z2)
    half = float(np.sqrt(z2 * max(differ * (1 + z2) - delta**2, 0))) / (1 + z2)
    return Interval(delta, max(centre - half, -1.0), min(centre + half, 1.0), n, len(one) - n)


def _finite(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray, int]:
    one, two = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if one.ndim != 1 or two.ndim != 1:
        raise InputError(f"groups of shape {one.shape} and {two.shape}: give one number a run")
    kept = one[np.isfinite(one)], two[np.isfinite(two)]
    return *kept, len(one) + len(two) - len(kept[0]) - len(kept[1])


def _noncentrality(freedom: int, t: float, p: float) -> float:
    """Return the noncentrality for which a share p of noncentral t lies below t."""
    if abs(t) > 1000:
        # Beside so far a centre the normal part of t is nothing; SciPy's inverse loses its way.
        tail = p if t < 0 else 1 - p
        return t * float(np.sqrt(stats.chi2.ppf(tail, freedom) / freedom))
    return float(special.nctdtrinc(freedom, p, t))
