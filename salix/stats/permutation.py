"""Permutation tests of runs and of images, and p values corrected for how many were asked for."""

from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from salix.typing import InputError

NEAR = 1e-9  # two statistics this close, in standard deviations of the values, are tied


def permutation_test(a: Any, b: Any, draws: int = 10_000, seed: int = 0) -> float:
    r"""Two-sided p that runs `a[run]` and `b[run]` differ in mean only by how they were labelled.

    The share of the $\binom{m + n}{m}$ ways to split the runs for which $|\bar a - \bar b|$ is at
    least the one found: exact where they are no more than `draws`, else of so many random ones and
    the one found, $(1 + k) / (1 + \text{draws})$. In (0, 1], and never below `least_p`. Holds its
    level for runs that could be swapped if the groups were alike; groups that differ in spread
    alone may be told apart where m and n differ. Raises `InputError` for an empty group and for
    values that are NaN or infinite.

    Phipson and Smyth (2010), doi:10.2202/1544-6115.1585.
    """
    one, two = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if one.ndim != 1 or two.ndim != 1:
        raise InputError(f"groups of shape {one.shape} and {two.shape}: give one number a run")
    return float(max_t(one[:, None], two[:, None], draws, seed)[0])


def max_t(a: Any, b: Any, draws: int = 10_000, seed: int = 0) -> np.ndarray:
    r"""P values `[measure]` of `a[run, measure]` against `b[run, measure]`, adjusted together.

    Westfall and Young's step-down of the greatest $|t|$: the labels of the runs are permuted for
    all measures at once, so that what the measures have in common is not paid for twice: the
    chance of one false rejection is kept, with more power than `holm` where they go together.
    Splits as for `permutation_test`, which is this for one measure. `InputError` as there, and
    for measures that differ in number.

    Westfall and Young (1993), algorithm 4.1; Dudoit et al. (2003), doi:10.1214/ss/1056397487.
    """
    one, two = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if one.ndim != 2 or two.ndim != 2 or one.shape[1] != two.shape[1] or not one.size * two.size:
        raise InputError(
            f"groups of shape {one.shape} and {two.shape}: give [run, measure], not empty"
        )
    x = np.concatenate([one, two])
    if not np.isfinite(x).all():
        raise InputError("a run's value is NaN or infinite: leave out its images, or the run")
    # |t| of pooled variance rises with this, as a split does not change the variance of all.
    x = _standard(x)
    splits = _splits(len(one), len(x), draws, seed)
    distance = np.abs(splits @ x / len(one) - (1 - splits) @ x / len(two))  # [split measure]
    order = np.argsort(-distance[0], kind="stable")
    falling = distance[:, order]
    greatest = np.maximum.accumulate(falling[:, ::-1], axis=1)[:, ::-1]
    p = np.mean(greatest >= falling[0] - NEAR, axis=0)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p)
    return adjusted


def sign_flip_test(a: Any, b: Any, draws: int = 10_000, seed: int = 0) -> float:
    r"""Two-sided p that two models differ in mean over the same images, `a[image]` and `b[image]`.

    The share of ways to swap the two on some images for which $|\overline{a - b}|$ is at least
    the one found: of all $2^n$ where they are no more than `draws`, else of so many random ones
    and the one found. In (0, 1]. It speaks of these two models, not of others trained as they
    were. Images without a value for both are left out. Raises `InputError` if none is left, and
    for images that differ in number.

    Fisher (1935), The design of experiments, sec. 21.
    """
    one, two = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if one.shape != two.shape or one.ndim != 1:
        raise InputError(f"values of shape {one.shape} and {two.shape}: give [image] twice")
    known = np.isfinite(one) & np.isfinite(two)
    if not known.any():
        raise InputError("no image has a value for both models")
    d = one[known] - two[known]
    d = d[d != 0]
    if not len(d):
        return 1.0
    d = d / np.sqrt((d**2).mean())
    n, found = len(d), abs(d.sum())
    if n < 60 and 2**n <= draws:
        flips = np.arange(2**n)[:, None] >> np.arange(n) & 1
        return float(np.mean(np.abs(d.sum() - 2 * (flips @ d)) >= found - NEAR))
    rng, hits, rows = np.random.default_rng(seed), 0, max(1, 2**22 // n)
    for start in range(0, draws, rows):
        size = (min(rows, draws - start), n)
        bits = np.frombuffer(rng.bytes(-(-size[0] * n // 8)), np.uint8)
        flips = np.unpackbits(bits, count=size[0] * n).reshape(size)
        hits += int((np.abs(d.sum() - 2 * (flips @ d)) >= found - NEAR).sum())
    return (1 + hits) / (1 + draws)


def least_p(m: int, n: int) -> float:
    r"""Least p that `permutation_test` can find for groups of m and n runs.

    $1 / \binom{m + n}{m}$, and twice that for groups of one size, whose labels can be exchanged:
    0.1 for 3 and 3 runs, 0.0079 for 5 and 5.
    """
    return (1 + (m == n)) / comb(m + n, m)


def holm(p: Any) -> np.ndarray:
    r"""P values of a family of tests, adjusted so that the chance of one false rejection is kept.

    $\tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})$ in increasing order, for any
    dependence. A NaN is no test: it stays NaN and is not counted in m.

    Holm (1979), Scandinavian Journal of Statistics 6(2), 65-70.
    """
    given = np.asarray(p, np.float64)
    order = np.argsort(given, kind="stable")[: int((~np.isnan(given)).sum())]
    left = np.arange(len(order), 0, -1)
    adjusted = np.full(given.shape, np.nan)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(left * given[order]))
    return adjusted


def _standard(x: np.ndarray) -> np.ndarray:
    """Return each column less its mean, over its standard deviation; zeros where it is constant."""
    x = x - x.mean(0)
    scale, constant = x.std(0), np.ptp(x, axis=0) == 0
    return np.where(constant, 0, x / np.where(constant, 1, scale))


@lru_cache(maxsize=8)
def _splits(m: int, runs: int, draws: int, seed: int) -> np.ndarray:
    """Return which of the runs are in the first group, [split run]: as found, then otherwise."""
    if comb(runs, m) <= draws:
        chosen = np.array(list(combinations(range(runs), m)))
        splits = np.zeros((len(chosen), runs))
        np.put_along_axis(splits, chosen, 1, axis=1)
        return splits
    places = np.random.default_rng(seed).random((draws, runs)).argsort(axis=1)
    return np.concatenate([np.arange(runs)[None], places]) < m
