"""Columns of the report's tables: title, range and unit of a number, and how it is written."""

from dataclasses import dataclass

import numpy as np

from salix.stats import Interval
from salix.typing import Column

NARROW = "\u202f"  # thin space that keeps number and unit together
DASH = "–"  # an undefined value


@dataclass(frozen=True)
class TableColumn:
    """One number of a table: its key, title, direction, range and unit.

    `low` and `high` bound the scale, None where it is unbounded; `percent` prints shares.
    """

    key: str
    name: str
    direction: str = ""
    low: float | None = None
    high: float | None = None
    percent: bool = False

    def format(self, value: float, digits: int = 3) -> str:
        """Write a value in the column's unit, a dash for an undefined one."""
        if not np.isfinite(value):
            return DASH
        return self._digits(value, digits) + (f"{NARROW}%" if self.percent else "")

    def _digits(self, value: float, digits: int) -> str:
        # z: a value that is rounded to zero has no sign
        text = f"{100 * value:z.{digits - 2}f}" if self.percent else f"{value:z.{digits}f}"
        return text.replace("-", "−")

    def limits(self, interval: Interval, digits: int = 3) -> str:
        """Write the limits of an interval, nothing where it has none."""
        low, high = interval.low, interval.high
        if not (np.isfinite(low) and np.isfinite(high)):
            return ""
        return f"[{self._digits(low, digits)}, {self._digits(high, digits)}]"

    def ends(self, values: list[float]) -> str:
        """Write the least and the greatest of some values."""
        low, high = self.format(min(values)), self.format(max(values))
        return f"{low.removesuffix(NARROW + '%')}–{high}"

    @property
    def range(self) -> str:
        """Write the bounds of the scale, nothing where it is unbounded."""
        if self.low is None or self.high is None:
            return ""
        unit = f"{NARROW}%" if self.percent else ""
        scale = 100 if self.percent else 1
        return f"{scale * self.low:g} to {scale * self.high:g}{unit}".replace("-", "−")


BETTER = "higher is better"
AGREEMENT = TableColumn(
    "agreement", "Agreement between runs", "higher = runs look at the same places", -1.0, 1.0
)


def standard_columns(region: str) -> dict[str, TableColumn]:
    """Return the columns with titles of the report's own; `region` is what reference masks mark."""
    neutral = "no better or worse"
    columns = (
        TableColumn("relevance_mass", f"Salience inside the {region}", BETTER, 0.0, 1.0, True),
        TableColumn(
            "spatial_entropy", "Spatial entropy", f"lower = more focused, {neutral}", 0.0, 1.0
        ),
        TableColumn(
            "histogram_entropy", "Histogram entropy", f"lower = flatter map, {neutral}", 0.0, 1.0
        ),
        TableColumn("gini", "Gini", f"higher = more focused, {neutral}", 0.0, 1.0),
    )
    return {c.key: c for c in columns}


def table_column(column: Column) -> TableColumn:
    """Return how a column of a run is named and written, from its description."""
    better = f"{column.direction} is better" if column.direction else ""
    title = column.title or column.name.replace("_", " ")
    return TableColumn(column.name, title, better, column.low, column.high)
