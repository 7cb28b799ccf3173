"""Series over an axis, such as similarity over levels of noise: columns, intervals, splits."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from salix.analysis.columns import TableColumn
from salix.analysis.frame import Frame, describe_columns
from salix.analysis.summary import GroupSummary
from salix.stats import Interval, mean_interval, mean_of_intervals
from salix.typing import Column

PANELS = 4
METHOD = "method"  # axis of the columns of `salix.measures.Evaluation`


@dataclass(frozen=True)
class Series:
    """Columns of one measure over one axis; `numeric` where its coordinates are numbers."""

    title: str
    meaning: str
    axis: str
    coordinates: tuple[float | str, ...]
    columns: tuple[Column, ...]

    @property
    def drawn(self) -> tuple[Column, ...]:
        """The columns that have a panel in the figure: the first few."""
        return self.columns[:PANELS]

    @property
    def numeric(self) -> bool:
        """Whether the coordinates can be drawn along a scale."""
        return all(isinstance(c, (int, float)) for c in self.coordinates)

    def table_column(self, column: Column) -> TableColumn:
        """Return how a column of the series is named and written, without the measure's title."""
        name = column.title.removeprefix(f"{self.title}: ")
        better = f"{column.direction} is better" if column.direction else ""
        return TableColumn(column.name, name, better, column.low, column.high)


def find_series(frames: Sequence[Frame]) -> tuple[Series, ...]:
    """Gather the columns that have an axis by the measure that they come from.

    Those over attribution methods are no series, but the leaderboard's.
    """
    columns = describe_columns(frames).values()
    described = [c for c in columns if c.axis and METHOD not in (c.axis, *c.dims)]
    series = []
    by_measure = groupby(described, lambda c: (c.title.partition(": ")[0], c.axis, c.coordinates))
    for (title, axis, coordinates), members in by_measure:
        columns = tuple(members)
        series.append(Series(title, columns[0].meaning, axis, coordinates, columns))
    return tuple(series)


def series_intervals(group: GroupSummary, name: str) -> tuple[Interval, ...]:
    """Return a group's interval at each coordinate: over its runs and images, as samples.

    Over the images of its only run. Empty if no run has the column.
    """
    runs = [r.arrays[name] for r in group.runs if name in r.arrays]
    if len(runs) < 2:
        return runs[0] if runs else ()
    return tuple(mean_of_intervals(intervals) for intervals in zip(*runs, strict=False))


@dataclass(frozen=True)
class DecisionSplit:
    """Mean over the axis of a run's series, for right, wrong and flipped decisions apart."""

    name: str
    group: str
    right: Interval
    wrong: Interval
    flips: Interval


def split_by_decision(frames: Sequence[Frame], series: Series) -> tuple[DecisionSplit, ...]:
    """Compare images that a run classified rightly with those that it did not.

    Of the first column of the series; `flips` is the mean of the one whose name ends in `_flip`.
    Runs without labels, or without the series, are left out.
    """
    first = series.columns[0].name
    flip = next((c.name for c in series.columns if c.name.endswith("_flip")), "")
    splits = []
    for frame in frames:
        known = frame.labels >= 0
        if frame.predicted is None or not frame.has(first) or not known.any():
            continue
        right = frame.predicted == frame.labels
        rows = frame.run.read([n for n in (first, flip) if frame.has(n)])
        with np.errstate(invalid="ignore"):
            values = _row_means(rows[first])
            flips = _row_means(rows[flip]) if flip in rows else np.full(len(right), np.nan)
        clusters = frame.clusters
        means = [
            mean_interval(v[of], clusters=None if clusters is None else clusters[of])
            for v, of in (
                (values, known & right),
                (values, known & ~right),
                (flips, np.ones(len(flips), bool)),
            )
        ]
        splits.append(DecisionSplit(frame.run.name, frame.run.group, *means))
    return tuple(splits)


def _row_means(table: np.ndarray) -> np.ndarray:
    """Mean over the defined coordinates of each image; NaN where none is."""
    count = np.isfinite(table).sum(1)
    return np.where(count, np.nansum(table, 1) / np.maximum(count, 1), np.nan)
