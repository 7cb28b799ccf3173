"""Ranking of attribution methods by one metric: means, ranks, their resamples, and the best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from salix.analysis.columns import TableColumn
from salix.stats import (
    Interval,
    flipped_means,
    holm,
    joint_flip_p,
    joint_limits,
    kendall_tau,
    kendall_w,
    mean_interval,
    rank_methods,
    resampled_means,
    split_half_tau,
    unit_count,
)

ALPHA = 0.05
FEW = 10  # images or groups of them; of fewer, ranks are not resampled
DRAWS = 2000  # resamples of the images
FLIPS = 5000  # swaps of two methods in the test of the best


@dataclass(frozen=True, eq=False)
class MethodRanking:
    """Methods by one metric, over the images and models of a leaderboard.

    `values` are the means, with intervals over images (the models as they are); `ranks` [method] of
    the means, 1 the best, NaN for a metric without a better direction; `rank_limits` [2 method] and
    `first` [method], the share of the resamples in which a method is first, are NaN for fewer than
    `FEW` images. `rank_draws` [draw method] are the ranks in the resamples.

    `best` is the method that is better than each other one, by the paired test of the images and by
    the paired interval, None for none; `p` the greatest p-value of these tests, corrected by Holm's
    method for the number of metrics; `lead` the difference to the nearest method.

    `half_tau` is the mean Kendall's tau between the rankings by two halves of the images, `tau` the
    mean over pairs of models, and `concordance` Kendall's W over models; NaN where there are none.
    """

    column: TableColumn
    sign: int  # 1: higher is better, -1: lower is, 0: neither
    values: tuple[Interval, ...]
    ranks: np.ndarray
    rank_draws: np.ndarray
    half_tau: float
    concordance: float
    tau: float
    best: int | None = None
    p: float = np.nan
    lead: Interval | None = None

    @property
    def directed(self) -> bool:
        """Whether one direction of the metric is better."""
        return self.sign != 0

    @property
    def rank_limits(self) -> np.ndarray:
        """Percentiles 2.5 and 97.5 of the ranks in the resamples, [2 method]."""
        return rank_percentiles(self.rank_draws)

    @property
    def first(self) -> np.ndarray:
        """Share of the resamples in which each method is first; ties share."""
        return first_shares(self.rank_draws)


def rank_percentiles(draws: np.ndarray) -> np.ndarray:
    """Return percentiles 2.5 and 97.5 of `draws[draw method]`, NaN where a draw is NaN or none."""
    if not len(draws):
        return np.full((2, draws.shape[1]), np.nan)
    return np.quantile(draws, [ALPHA / 2, 1 - ALPHA / 2], axis=0)


def first_shares(draws: np.ndarray) -> np.ndarray:
    """Return the share of `draws[draw method]` in which a method has the lowest rank or mean."""
    if not len(draws):
        return np.full(draws.shape[1], np.nan)
    lowest = np.where(np.isnan(draws), np.inf, draws)
    hits = lowest == lowest.min(1, keepdims=True)
    return np.where(np.isnan(draws).all(0), np.nan, (hits / hits.sum(1, keepdims=True)).mean(0))


def rank_by(
    column: TableColumn, sign: int, table: np.ndarray, clusters: np.ndarray | None
) -> MethodRanking:
    """Rank methods by a metric of `table[model image method]`."""
    images = table.mean(0)  # NaN where a model has no value
    draws = resampled_means(images, draws=DRAWS, clusters=clusters)
    limits = joint_limits(images, draws, clusters=clusters)
    undefined = (~np.isfinite(table)).sum((0, 1))
    values = tuple(replace(i, undefined=int(u)) for i, u in zip(limits, undefined, strict=True))
    means = np.array([i.value for i in values])
    known = np.isfinite(table)
    with np.errstate(invalid="ignore"):
        models = np.where(known, table, 0).sum(1) / np.where(known.any(1), known.sum(1), np.nan)
    enough = sign != 0 and unit_count(clusters, len(images)) >= FEW
    taus = split_half_tau(images, clusters=clusters)
    pairs = [kendall_tau(a, b) for i, a in enumerate(models) for b in models[:i]]
    return MethodRanking(
        column,
        sign,
        values,
        rank_methods(sign * means) if sign else np.full(len(means), np.nan),
        rank_methods(sign * draws) if enough else np.zeros((0, len(means))),
        _mean(taus),
        kendall_w(rank_methods(models)),
        _mean(np.array(pairs)),
    )


def mark_best(
    rankings: Sequence[MethodRanking], tables: Sequence[np.ndarray], clusters: np.ndarray | None
) -> tuple[MethodRanking, ...]:
    """Return rankings with their best methods; `tables[model image method]` are their values.

    A method is the best if it is better than each other one: the greatest of these p-values tests
    that (an intersection-union test, Berger, 1982, doi:10.1080/00401706.1982.10487790). Models are
    averaged, and images are the sample.
    """
    tests: list[np.ndarray] = []
    leaders: list[int | None] = []
    for ranking, table in zip(rankings, tables, strict=True):
        leader = _leader(ranking)
        leaders.append(leader)
        if leader is not None:
            images = ranking.sign * table.mean(0)
            rivals = np.isfinite(ranking.ranks)
            rivals[leader] = False
            tests.append(images[:, [leader]] - images[:, rivals])
    if not tests:
        return tuple(rankings)
    together = np.concatenate(tests, axis=1)
    flips = flipped_means(together, draws=FLIPS, clusters=clusters)
    p_all = joint_flip_p(together, flips, clusters=clusters)
    each = np.split(p_all, np.cumsum([t.shape[1] for t in tests])[:-1])
    adjusted = iter(holm([p.max() for p in each]))  # NaN where two methods share no image
    differences = iter(tests)
    marked = []
    for ranking, leader in zip(rankings, leaders, strict=True):
        if leader is None:
            marked.append(ranking)
            continue
        intervals = [mean_interval(d, clusters=clusters) for d in next(differences).T]
        nearest = min(intervals, key=lambda i: i.value)
        p = float(next(adjusted))
        is_best = p <= ALPHA and all(i.low > 0 for i in intervals)
        marked.append(replace(ranking, best=leader if is_best else None, p=p, lead=nearest))
    return tuple(marked)


def _leader(ranking: MethodRanking) -> int | None:
    """Return the one method of the lowest rank; None for a tie, and for fewer than two methods."""
    ranks = ranking.ranks
    if not ranking.directed or np.isfinite(ranks).sum() < 2:
        return None
    lowest = np.flatnonzero(ranks == np.nanmin(ranks))
    return int(lowest[0]) if len(lowest) == 1 else None


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
