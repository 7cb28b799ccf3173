"""Permutation tests of runs and of images, and p-values corrected for multiple tests."""

from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from salix.stats.banerjee import student_p
from salix.stats.clusters import ClusterDesign, known_codes
from salix.typing import InputError

FEW_CLUSTERS = 12
NEAR = 1e-9  # two statistics this close, in standard deviations of the values, are tied


def permutation_test(a: Any, b: Any, *, draws: int = 10_000, seed: int = 0) -> float:
    r"""Two-sided p-value of equal means of runs `a[run]` and `b[run]`, by permuting their labels.

    The proportion of the $\binom{m + n}{m}$ splits of the runs for which $|\bar a - \bar b|$ is at
    least the observed one: exact for at most `draws` splits, else over as many random splits and
    the observed one, $(1 + k) / (1 + \text{draws})$. In (0, 1], and never below `minimum_p`. The
    level is exact for exchangeable runs; groups that differ in variance only may be rejected where
    m and n differ. Raises `InputError` for an empty group and for values that are NaN or infinite.

    Phipson and Smyth (2010), doi:10.2202/1544-6115.1585.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.ndim != 1 or y.ndim != 1:
        raise InputError(f"groups of shape {x.shape} and {y.shape}: give one number per run")
    return float(max_t(x[:, None], y[:, None], draws=draws, seed=seed)[0])


def max_t(a: Any, b: Any, *, draws: int = 10_000, seed: int = 0) -> np.ndarray:
    r"""P-values `[measure]` of `a[run, measure]` against `b[run, measure]`, adjusted together.

    Westfall and Young's step-down of the greatest $|t|$: the labels of the runs are permuted for
    all measures at once, which preserves the correlation of the measures. It controls the
    probability of one false rejection, with more power than `holm` for correlated measures.
    Splits as for `permutation_test`, the special case of one measure. `InputError` as there, and
    for measures that differ in number.

    Westfall and Young (1993), algorithm 4.1; Dudoit et al. (2003), doi:10.1214/ss/1056397487.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not x.size * y.size:
        raise InputError(f"groups of shape {x.shape} and {y.shape}: give [run, measure], not empty")
    both = np.concatenate([x, y])
    if not np.isfinite(both).all():
        raise InputError("a run's value is NaN or infinite: leave out its images, or the run")
    both = both - both.mean(0)
    scale, constant = both.std(0), np.ptp(both, axis=0) == 0
    both = np.where(constant, 0, both / np.where(constant, 1, scale))
    # |t| of pooled variance is monotone in this distance: a split leaves the total variance.
    splits = _splits(len(x), len(both), draws, seed)
    distance = np.abs(splits @ both / len(x) - (1 - splits) @ both / len(y))  # [split measure]
    order = np.argsort(-distance[0], kind="stable")
    falling = distance[:, order]
    greatest = np.maximum.accumulate(falling[:, ::-1], axis=1)[:, ::-1]
    p = np.mean(greatest >= falling[0] - NEAR, axis=0)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p)
    return adjusted


def sign_flip_test(
    a: Any, b: Any, *, draws: int = 10_000, seed: int = 0, clusters: Any = None
) -> float:
    r"""Two-sided p-value of equal means of two models over the same images, by swapping models.

    The proportion of the ways to swap `a[image]` and `b[image]` of some images for which
    $|\overline{a - b}|$ is at least the observed one: of all $2^n$ if they are at most `draws`,
    else of as many random ones and the observed one. In (0, 1]. It generalises to other images of
    these two models, not to other runs. Images without a value for both are left out. `clusters`
    names the cluster of dependent images of each: the images of a cluster are swapped together,
    and where fewer than 12 clusters differ, which cannot be swapped in many ways, p is that of
    Student's t with the cluster-robust variance (`ClusterDesign`); NaN for a single cluster. Raises
    `InputError` if no image is left, and for images that differ in number.

    Fisher (1935), The design of experiments, sec. 21.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise InputError(f"values of shape {x.shape} and {y.shape}: give [image] twice")
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        raise InputError("no image has a value for both models")
    d = x[known] - y[known]
    codes = None if clusters is None else known_codes(clusters, known)
    if codes is not None:
        design = ClusterDesign.of(len(d), codes)
        sums = design.sums(d)
        if np.count_nonzero(sums) < FEW_CLUSTERS:
            error = (d - d.mean()) / len(d)
            parts = [design.variance(error)], [design.freedom(error)]
            return student_p(float(d.mean()), *parts) if design.count > 1 else np.nan
        d = sums
    d = d[d != 0]
    if not len(d):
        return 1.0
    d = d / np.sqrt((d**2).mean())
    n, observed = len(d), abs(d.sum())
    if n < 60 and 2**n <= draws:
        flips = np.arange(2**n)[:, None] >> np.arange(n) & 1
        return float(np.mean(np.abs(d.sum() - 2 * (flips @ d)) >= observed - NEAR))
    rng, hits, rows = np.random.default_rng(seed), 0, max(1, 2**22 // n)
    for start in range(0, draws, rows):
        size = (min(rows, draws - start), n)
        bits = np.frombuffer(rng.bytes(-(-size[0] * n // 8)), np.uint8)
        flips = np.unpackbits(bits, count=size[0] * n).reshape(size)
        hits += int((np.abs(d.sum() - 2 * (flips @ d)) >= observed - NEAR).sum())
    return (1 + hits) / (1 + draws)


def minimum_p(m: int, n: int) -> float:
    r"""Smallest p-value of `permutation_test` for groups of m and n runs.

    $1 / \binom{m + n}{m}$, and twice that for groups of one size, whose labels can be exchanged:
    0.1 for 3 and 3 runs, 0.0079 for 5 and 5.
    """
    return (1 + (m == n)) / comb(m + n, m)


def holm(p: Any) -> np.ndarray:
    r"""P-values of a family of tests, adjusted to control the probability of a false rejection.

    $\tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})$ in increasing order, for any
    dependence. A NaN is no test: it stays NaN and is not counted in m.

    Holm (1979), Scandinavian Journal of Statistics 6(2), 65-70.
    """
    p = np.asarray(p, np.float64)
    order = np.argsort(p, kind="stable")[: int((~np.isnan(p)).sum())]
    factors = np.arange(len(order), 0, -1)
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * p[order]))
    return adjusted


def benjamini_hochberg(p: Any) -> np.ndarray:
    r"""P-values of a family of tests, adjusted to control the expected share of false discoveries.

    $\tilde p_{(i)} = \min_{j \ge i} \min(1, m\, p_{(j)} / j)$ in increasing order: rejecting where
    it is at most $\alpha$ keeps the false discovery rate, and with no true effect the probability
    of any discovery, at most $\alpha$, for independent or positively dependent tests. A NaN is no
    test: it stays NaN and is not counted in m.

    Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x; Benjamini and Yekutieli
    (2001), doi:10.1214/aos/1013699998, for positive dependence.
    """
    p = np.asarray(p, np.float64)
    order = np.argsort(p, kind="stable")[: int((~np.isnan(p)).sum())]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.minimum(1, np.minimum.accumulate(scaled[::-1])[::-1])
    return adjusted


@lru_cache(maxsize=8)
def _splits(m: int, runs: int, draws: int, seed: int) -> np.ndarray:
    """Membership of each run in the first group, `[split run]`; the observed split comes first."""
    if comb(runs, m) <= draws:
        chosen = np.array(list(combinations(range(runs), m)))
        splits = np.zeros((len(chosen), runs))
        np.put_along_axis(splits, chosen, 1, axis=1)
        return splits
    ranks = np.random.default_rng(seed).random((draws, runs)).argsort(axis=1)
    return np.concatenate([np.arange(runs)[None], ranks]) < m
