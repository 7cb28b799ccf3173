"""Numbers that run over an axis, such as levels of noise: which they are, and a group's course."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from salix.analysis import frame
from salix.analysis.columns import TableColumn
from salix.analysis.summary import Group, Numbers
from salix.stats import Interval, mean_interval
from salix.store import Run
from salix.typing import Column

PANELS = 4


@dataclass(frozen=True)
class Family:
    """Quantities of one measure over one axis; `numeric` where its places are numbers."""

    title: str
    about: str
    axis: str
    at: tuple[float | str, ...]
    columns: tuple[Column, ...]

    @property
    def drawn(self) -> tuple[Column, ...]:
        """The columns that have a panel in the figure: the first few."""
        return self.columns[:PANELS]

    @property
    def numeric(self) -> bool:
        """Whether the places can be drawn along a scale."""
        return all(isinstance(place, (int, float)) for place in self.at)

    def column(self, quantity: Column) -> TableColumn:
        """Return how a quantity is named and written."""
        name = quantity.title.removeprefix(f"{self.title}: ")
        better = f"{quantity.direction} is better" if quantity.direction else ""
        return TableColumn(quantity.name, name, better, quantity.low, quantity.high)


def families(runs: Sequence[Run]) -> list[Family]:
    """Gather the columns that have an axis by the measure that they come from."""
    held = [q for q in frame.columns(runs).values() if q.axis]
    found = []
    for _, members in groupby(held, lambda q: (q.title.partition(": ")[0], q.axis, q.coordinates)):
        of = tuple(members)
        title = of[0].title.partition(": ")[0]
        found.append(Family(title, of[0].meaning, of[0].axis, of[0].coordinates, of))
    return found


def course(group: Group, name: str) -> list[Interval]:
    """Return a group's interval at each place: over its runs, or the images of its only run.

    Empty if no run has the quantity.
    """
    runs = [r.series[name] for r in group.runs if name in r.series]
    if len(runs) < 2:
        return list(runs[0]) if runs else []
    return [mean_interval([i.value for i in at]) for at in zip(*runs, strict=False)]


@dataclass(frozen=True)
class Split:
    """The mean over the axis of a run's quantity, for right, wrong and flipped decisions apart."""

    name: str
    group: str
    right: Interval
    wrong: Interval
    flips: Interval


def splits(runs: Sequence[Run], numbers: Numbers, family: Family) -> list[Split]:
    """Compare images that a run classified rightly with those that it did not.

    Of the first quantity of the family; `flips` is the mean of the one whose name ends in
    `_flip`. Runs without labels, or without the family, are left out.
    """
    first = family.columns[0].name
    flip = next((q.name for q in family.columns if q.name.endswith("_flip")), None)
    found = []
    for run in runs:
        columns = frame.measured(run)
        if first not in columns or not (columns["label"] >= 0).any():
            continue
        right = columns["predicted"] == columns["label"]
        known = columns["label"] >= 0
        with np.errstate(invalid="ignore"):
            values = _row_means(columns[first])
            flips = _row_means(columns[flip]) if flip in columns else np.full(len(right), np.nan)
        found.append(
            Split(
                run.name,
                run.group,
                mean_interval(values[known & right]),
                mean_interval(values[known & ~right]),
                mean_interval(flips),
            )
        )
    order = [g.name for g in numbers.groups]
    return sorted(found, key=lambda s: order.index(s.group))


def _row_means(table: np.ndarray) -> np.ndarray:
    """Mean over the defined places of each image; NaN where none is."""
    count = np.isfinite(table).sum(1)
    return np.where(count, np.nansum(table, 1) / np.maximum(count, 1), np.nan)
