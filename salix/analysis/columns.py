"""The numbers of the report: what each is called, where it lies, and how to read it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from salix.stats import Interval
from salix.typing import Column

NARROW = "\u202f"  # thin space that keeps number and unit together
NONE = "–"


@dataclass(frozen=True)
class TableColumn:
    """One number: its name, how to read its direction, its range and its unit.

    `low` and `high` bound the scale, None where the data decide; `percent` prints shares.
    """

    key: str
    name: str
    direction: str = ""
    low: float | None = None
    high: float | None = None
    percent: bool = False

    def format(self, value: float, digits: int = 3) -> str:
        """Write a value in the column's unit, a dash for what is not defined."""
        if not np.isfinite(value):
            return NONE
        return self._plain(value, digits) + (f"{NARROW}%" if self.percent else "")

    def _plain(self, value: float, digits: int) -> str:
        # z: what is rounded to zero has no sign
        text = f"{100 * value:z.{digits - 2}f}" if self.percent else f"{value:z.{digits}f}"
        return text.replace("-", "−")

    def limits(self, interval: Interval, digits: int = 3) -> str:
        """Write the limits of an interval, nothing for one without."""
        low, high = interval.low, interval.high
        if not (np.isfinite(low) and np.isfinite(high)):
            return ""
        return f"[{self._plain(low, digits)}, {self._plain(high, digits)}]"

    def ends(self, values: list[float]) -> str:
        """Write the least and the greatest of some values."""
        low, high = self.format(min(values)), self.format(max(values))
        return f"{low.removesuffix(NARROW + '%')}–{high}"

    @property
    def range(self) -> str:
        """Write the bounds of the scale."""
        if self.low is None or self.high is None:
            return ""
        unit = f"{NARROW}%" if self.percent else ""
        scale = 100 if self.percent else 1
        return f"{scale * self.low:g} to {scale * self.high:g}{unit}".replace("-", "−")


def columns(
    measures: list[str], region: str, told: Mapping[str, Column] | None = None
) -> list[TableColumn]:
    """Return the columns of the table, in order; `told` says what those of measures mean.

    A measure that says nothing of its numbers has them shown plainly.
    """
    better = "higher is better"
    focused = "no better or worse"
    known = [
        TableColumn("auc", "AUC", better, 0.0, 1.0),
        TableColumn("accuracy", "Accuracy", better, 0.0, 1.0, True),
        TableColumn("relevance_mass", f"Salience inside the {region}", better, 0.0, 1.0, True),
        TableColumn(
            "spatial_entropy", "Spatial entropy", f"lower = more focused, {focused}", 0.0, 1.0
        ),
        TableColumn(
            "histogram_entropy", "Histogram entropy", f"lower = flatter map, {focused}", 0.0, 1.0
        ),
        TableColumn("gini", "Gini", f"higher = more focused, {focused}", 0.0, 1.0),
    ]
    own = [c for c in known if c.key != "relevance_mass" or "relevance_mass" in measures]
    named = {c.key for c in known}
    other = [_column(m, (told or {}).get(m)) for m in measures if m not in named]
    stable = "higher = runs look at the same places"
    return [*own, *other, TableColumn("agreement", "Agreement between runs", stable, -1.0, 1.0)]


def _column(name: str, quantity: Column | None) -> TableColumn:
    if quantity is None:
        return TableColumn(name, name.replace("_", " "))
    better = f"{quantity.direction} is better" if quantity.direction else ""
    return TableColumn(name, quantity.title, better, quantity.low, quantity.high)
