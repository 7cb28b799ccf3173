"""Shifts of a subset from the in-set one, and the columns of the tables of subsets."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from salix.analysis.columns import NARROW, TableColumn
from salix.stats import Interval


@dataclass(frozen=True)
class Shift:
    """One number of an out-of-set subset against the in-set one: a difference, or a distance."""

    column: TableColumn
    interval: Interval
    signed: bool
    null: float | None = 0.0  # the value without a shift, None where it is unknown

    @property
    def apart(self) -> bool:
        """Whether the interval leaves out the value without a shift."""
        null = self.null
        return null is not None and (self.interval.low > null or self.interval.high < null)

    @property
    def way(self) -> str:
        """Return "higher" or "lower" than in-set; nothing for neither, and for a distance."""
        value = self.interval.value
        if not self.signed or not np.isfinite(value) or value == 0:
            return ""
        return "higher" if value > 0 else "lower"

    @property
    def text(self) -> str:
        """Write the number; a difference with its sign, and of shares in points."""
        text = self.column.format(self.interval.value)
        if self.signed:
            text = text.removesuffix(f"{NARROW}%")
        return f"+{text}" if self.way == "higher" else text


@dataclass(frozen=True)
class SubsetColumns:
    """Columns of the two tables: numbers of a subset, its differences and its distances."""

    numbers: tuple[TableColumn, ...]
    differences: tuple[TableColumn, ...]
    distances: tuple[TableColumn, ...]

    @property
    def shifts(self) -> tuple[TableColumn, ...]:
        """Columns of the table of shifts."""
        return self.differences + self.distances

    def having(self, numbers: Collection[str], shifts: Collection[str]) -> "SubsetColumns":
        """Return the columns of the numbers and shifts of these keys."""
        return SubsetColumns(
            tuple(c for c in self.numbers if c.key in numbers),
            *(
                tuple(c for c in part if c.key in shifts)
                for part in (self.differences, self.distances)
            ),
        )


def subset_columns(sampled: Sequence[TableColumn]) -> SubsetColumns:
    """Return the columns of the tables; means of the `sampled` ones are compared."""
    name = sampled[0].name[:1].lower() + sampled[0].name[1:] if sampled else ""
    plain = tuple(TableColumn(c.key, c.name) for c in sampled)
    low, high = (sampled[0].low, sampled[0].high) if sampled else (None, None)
    furthest = (None, None) if low is None or high is None else (0.0, high - low)
    return SubsetColumns(
        numbers=(
            TableColumn("auc", "AUC", "higher is better", 0.0, 1.0),
            TableColumn("accuracy", "Accuracy", "higher is better", 0.0, 1.0, True),
            *(replace(c, direction=c.direction.partition(",")[0]) for c in sampled),
            TableColumn("constant_map", "Constant", "maps without contrast", 0.0, 1.0, True),
        ),
        differences=(
            *plain,
            TableColumn("log_odds", "Score", "log odds of the last class"),
            TableColumn("auc", "AUC"),
            TableColumn("accuracy", "Accuracy", "in points", percent=True),
            TableColumn("constant_map", "Constant maps", "in points", percent=True),
        ),
        distances=(
            TableColumn("kolmogorov", "Kolmogorov–Smirnov", f"of {name}", 0.0, 1.0),
            TableColumn("wasserstein", "1-Wasserstein", f"of {name}", *furthest),
            TableColumn("detector", f"AUC of {name}", "as a detector of out-of-set", 0.0, 1.0),
            TableColumn("map_distance", "Mean map: difference", "mean absolute", 0.0, 1.0),
            TableColumn("map_correlation", "Mean map: correlation", "Pearson", -1.0, 1.0),
        ),
    )


NULL = {"detector": 0.5, "map_correlation": None}  # values without a shift, where not 0


def within_range(column: TableColumn, i: Interval) -> Interval:
    """Clip the limits of an interval to the range of its number."""
    if column.low is None or column.high is None:
        return i
    low, high = np.clip([i.low, i.high], column.low, column.high).tolist()
    return replace(i, low=low, high=high)
