"""Leaderboard of attribution methods: by each metric, overall, and how metrics and models agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.analysis.columns import table_column
from salix.analysis.frame import Frame, shared_clusters, shared_examples
from salix.analysis.method_ranking import (
    FEW,
    MethodRanking,
    first_shares,
    mark_best,
    rank_by,
    rank_percentiles,
)
from salix.analysis.series import METHOD
from salix.stats import Interval, cluster_count, mean_interval, rank_correlation
from salix.typing import Column

SIGNS = {"higher": 1, "lower": -1, "": 0}
SAMPLE = 2000  # images at most, evenly spread, over which metrics are compared with each other
SAME = 0.8  # agreement from which two metrics say the same


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """Methods by metrics, over the images that all runs with the same of both have measured.

    `models` are the names of these runs, taken as they are: intervals are over images, or groups of
    dependent images, `clusters` of them (0: independent images). `mean_ranks` average the ranks of
    the metrics that have a better direction, each counted once; their limits are percentiles of the
    same resamples of images for all metrics, `first` the share of these in which a method is first.

    `agreement` [metric metric] is the mean over images of Spearman's correlation between the
    methods' ranks by two metrics, the better end first, with intervals over images; metrics without
    a better direction count from their highest value. `passes` are those of one image by method and
    by metric, where a run's manifest has them. `left_out` names the runs of other methods or
    metrics.
    """

    methods: tuple[str, ...]
    models: tuple[str, ...]
    images: int
    clusters: int
    rankings: tuple[MethodRanking, ...]
    mean_ranks: tuple[Interval, ...]
    first: np.ndarray
    agreement: tuple[tuple[Interval, ...], ...]
    passes: Mapping[str, Any]
    left_out: tuple[str, ...]

    @property
    def units(self) -> int:
        """Number of independent images, or of groups of dependent ones."""
        return self.clusters or self.images

    @property
    def resampled(self) -> str:
        """The sample that intervals draw from, in words."""
        return "groups of images" if self.clusters else "images"

    @property
    def enough(self) -> bool:
        """Whether the images are enough to resample ranks."""
        return self.units >= FEW

    @property
    def order(self) -> tuple[int, ...]:
        """The methods from the lowest mean rank; those without one last."""
        return tuple(np.argsort([i.value for i in self.mean_ranks], kind="stable").tolist())

    @property
    def alike(self) -> tuple[tuple[int, int], ...]:
        """Pairs of metrics that say the same: the lower limit of their agreement is `SAME`."""
        count = len(self.rankings)
        pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
        return tuple(p for p in pairs if self.agreement[p[0]][p[1]].low >= SAME)


def evaluated(frame: Frame) -> dict[str, Column]:
    """Return the columns of a run that hold one number for each method."""
    columns = frame.run.columns.items()
    return {n: c for n, c in columns if c.axis == METHOD and len(c.shape) == 1}


def leaderboard(frames: Sequence[Frame]) -> Leaderboard | None:
    """Rank the methods of runs by the metrics that they share with the first run that has any.

    None where no run has evaluated methods.
    """
    with_methods = [frame for frame in frames if evaluated(frame)]
    if not with_methods:
        return None
    columns = evaluated(with_methods[0])
    methods = tuple(map(str, next(iter(columns.values())).coordinates))
    chosen = [f for f in with_methods if _has_all(f, columns, methods)]
    left_out = tuple(f.run.name for f in with_methods if f not in chosen)
    ids, places = shared_examples(chosen)
    clusters = shared_clusters(chosen, places)
    tables = {
        name: np.stack([t[name] for t in tables])  # [model image method]
        for tables in [[_read(f, columns, methods, p) for f, p in zip(chosen, places, strict=True)]]
        for name in columns
    }
    signs = {name: SIGNS[c.direction] for name, c in columns.items()}
    rankings = mark_best(
        [rank_by(table_column(c), signs[n], tables[n], clusters) for n, c in columns.items()],
        list(tables.values()),
        clusters,
    )
    mean_ranks, first = _overall(rankings, len(ids))
    return Leaderboard(
        methods,
        tuple(f.run.name for f in chosen),
        len(ids),
        cluster_count(clusters),
        rankings,
        mean_ranks,
        first,
        _agreement([(signs[n] or 1) * t for n, t in tables.items()], clusters),
        chosen[0].run.manifest["about"].get("passes", {}),
        left_out,
    )


def _has_all(frame: Frame, columns: Mapping[str, Column], methods: tuple[str, ...]) -> bool:
    own = evaluated(frame)
    return own.keys() == columns.keys() and all(
        set(own[name].coordinates) == set(methods) for name in columns
    )


def _read(
    frame: Frame, columns: Mapping[str, Column], methods: tuple[str, ...], places: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the values [image method] of each column, infinite ones as NaN."""
    rows = frame.run.read(list(columns))
    own = evaluated(frame)
    values = {}
    for name in columns:
        order = [own[name].coordinates.index(m) for m in methods]
        table = rows[name][places][:, order].astype(np.float64)
        values[name] = np.where(np.isfinite(table), table, np.nan)
    return values


def _overall(
    rankings: Sequence[MethodRanking], images: int
) -> tuple[tuple[Interval, ...], np.ndarray]:
    """Return mean ranks over the metrics with a direction, and the shares of first places."""
    directed = [r for r in rankings if r.directed]
    if not directed:
        none = tuple(mean_interval([]) for _ in rankings[0].values)
        return none, np.full(len(none), np.nan)
    values = np.mean([r.ranks for r in directed], axis=0)
    draws = np.mean([r.rank_draws for r in directed], axis=0)
    ends = rank_percentiles(draws)
    limits = zip(values.tolist(), *ends.tolist(), strict=True)
    return tuple(Interval(v, low, high, images) for v, low, high in limits), first_shares(draws)


def _agreement(
    tables: Sequence[np.ndarray], clusters: np.ndarray | None
) -> tuple[tuple[Interval, ...], ...]:
    """Return the agreement of each two metrics of `[model image method]`, better ends first."""
    images = tables[0].shape[1]
    some = np.unique(np.linspace(0, images - 1, min(SAMPLE, images)).round().astype(int))
    own = None if clusters is None else clusters[some]
    count = len(tables)
    intervals = [[mean_interval([])] * count for _ in range(count)]
    for a in range(count):
        for b in range(a + 1):
            rho = np.array(
                [
                    rank_correlation(x[some], y[some])
                    for x, y in zip(tables[a], tables[b], strict=True)
                ]
            )
            intervals[a][b] = intervals[b][a] = mean_interval(rho.mean(0), clusters=own)
    return tuple(map(tuple, intervals))
