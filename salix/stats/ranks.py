r"""Ranks of methods by several numbers, and the agreement of rankings.

Rank 1 is the best; ties share the mean of their ranks; a method without a value has none. Numbers
are compared as "higher is better": negate those where lower is.
"""

from typing import Any

import numpy as np

from salix.stats.clusters import cluster_codes
from salix.stats.joint_flips import unit_sums
from salix.typing import InputError


def rank_methods(values: Any) -> np.ndarray:
    r"""Ranks `[..., method]` of `values[..., method]`, 1 for the highest; NaN where a value is NaN.

    $1 + |\{j: x_j > x_i\}| + |\{j \ne i: x_j = x_i\}| / 2$.
    """
    x = np.asarray(values, np.float64)
    mine, others = x[..., :, None], x[..., None, :]
    ranks = 0.5 + (others > mine).sum(-1) + (others == mine).sum(-1) / 2
    return np.where(np.isnan(x), np.nan, ranks)


def kendall_tau(a: Any, b: Any) -> np.ndarray:
    r"""Kendall's $\tau_b$ `[...]` of `a[..., method]` and `b[..., method]`, in [-1, 1].

    $\sum_{i<j} s^a_{ij} s^b_{ij} / \sqrt{\sum |s^a| \sum |s^b|}$ with the signs s of the
    differences of two methods. NaN where one of the rankings ties all methods; a pair of methods
    without a value counts in none of the sums.

    Kendall (1945), doi:10.1093/biomet/33.3.239.
    """
    x, y = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    one, two = (np.sign(v[..., :, None] - v[..., None, :]) for v in (x, y))
    known = np.isfinite(one) & np.isfinite(two)
    one, two = np.where(known, one, 0), np.where(known, two, 0)
    axes = (-2, -1)
    scale = np.sqrt(np.abs(one).sum(axes) * np.abs(two).sum(axes))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(scale > 0, (one * two).sum(axes) / scale, np.nan)


def kendall_w(ranks: Any) -> float:
    r"""Kendall's coefficient of concordance W of `ranks[judge, method]`, in [0, 1].

    $12 S / (m^2 (n^3 - n) - m \sum T)$ for m judges and n methods; S is the sum of squares of the
    methods' sums of ranks about their mean, and T the sum of $t^3 - t$ over the ties of a judge. 1
    where all judges have one ranking. Methods that a judge does not rank are left out. NaN for
    fewer than two judges or methods, and where all judges tie all methods.

    Kendall and Babington Smith (1939), doi:10.1214/aoms/1177732186.
    """
    table = np.asarray(ranks, np.float64)
    if table.ndim != 2:
        raise InputError(f"ranks of shape {table.shape}: give [judge, method]")
    table = rank_methods(-table[:, np.isfinite(table).all(0)])
    judges, methods = table.shape
    if judges < 2 or methods < 2:
        return float("nan")
    sums = table.sum(0)
    squares = ((sums - sums.mean()) ** 2).sum()
    ties = sum((n**3 - n).sum() for n in (np.unique(r, return_counts=True)[1] for r in table))
    scale = judges**2 * (methods**3 - methods) - judges * ties
    return float(12 * squares / scale) if scale > 0 else float("nan")


def split_half_tau(
    values: Any, *, splits: int = 200, seed: int = 0, clusters: Any = None
) -> np.ndarray:
    r"""Kendall's $\tau_b$ `[split]` between the rankings of methods by the means of two half-sets.

    The images of `values[image, method]` are split at random into halves, whole clusters where
    `clusters[image]` names those of dependent images. The mean over splits tells how much of a
    ranking another set of half as many images would repeat. Empty for fewer than four images or
    clusters.
    """
    x = np.asarray(values, np.float64)
    known = unit_sums(np.isfinite(x).astype(np.float64), clusters)
    sums = unit_sums(x, clusters)
    units = len(sums)
    if units < 4:
        return np.zeros(0)
    rng = np.random.default_rng(seed)
    taus = np.empty(splits)
    for i in range(splits):
        order = rng.permutation(units)
        halves = order[: units // 2], order[units // 2 :]
        with np.errstate(invalid="ignore", divide="ignore"):
            means = [sums[half].sum(0) / known[half].sum(0) for half in halves]
        taus[i] = kendall_tau(*means)
    return taus


def rank_correlation(a: Any, b: Any) -> np.ndarray:
    r"""Spearman's correlation `[image]` of the ranks of methods by two numbers of each image.

    Of `a[image, method]` and `b[image, method]`: Pearson's correlation of the ranks, those of ties
    the mean, over the methods that have both; in [-1, 1]. NaN where fewer than three methods have
    both, and where one number ties all methods.

    Spearman (1904), doi:10.2307/1412159.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    both = np.isfinite(x) & np.isfinite(y)
    count = both.sum(1)
    centred = []
    for values in (x, y):
        ranks = np.where(both, rank_methods(np.where(both, values, np.nan)), 0)
        mean = ranks.sum(1) / np.maximum(count, 1)
        centred.append(np.where(both, ranks - mean[:, None], 0))
    scale = np.sqrt((centred[0] ** 2).sum(1) * (centred[1] ** 2).sum(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = (centred[0] * centred[1]).sum(1) / scale
    return np.where((count > 2) & (scale > 0), rho, np.nan)


def unit_count(clusters: Any, images: int) -> int:
    """Number of independent units: of clusters, where these are named, else of images."""
    codes = cluster_codes(clusters, images)
    return images if codes is None else int(codes.max()) + 1
