"""How the numbers of a collection, and its shifts from the in-set, are named and written."""

from dataclasses import dataclass, replace

import numpy as np

from salix.analysis.columns import NARROW, TableColumn
from salix.stats import Interval

VALUES = (
    TableColumn("auc", "AUC", "higher is better", 0.0, 1.0),
    TableColumn("accuracy", "Accuracy", "higher is better", 0.0, 1.0, True),
    TableColumn("spatial_entropy", "Spatial entropy", "lower = more focused", 0.0, 1.0),
    TableColumn("histogram_entropy", "Histogram entropy", "lower = flatter map", 0.0, 1.0),
    TableColumn("constant_map", "Dead", "maps without contrast", 0.0, 1.0, True),
)
SHIFTS = (
    TableColumn("spatial_entropy", "Spatial entropy"),
    TableColumn("histogram_entropy", "Histogram entropy"),
    TableColumn("lead", "Score", "log odds of the last class"),
    TableColumn("auc", "AUC"),
    TableColumn("accuracy", "Accuracy", "in points", percent=True),
    TableColumn("constant_map", "Constant maps", "in points", percent=True),
)
DISTANCES = (
    TableColumn("kolmogorov", "Kolmogorov–Smirnov", "of spatial entropy", 0.0, 1.0),
    TableColumn("wasserstein", "1-Wasserstein", "of spatial entropy", 0.0, 1.0),
    TableColumn("detector", "AUC of spatial entropy", "as a detector of out-of-set", 0.0, 1.0),
    TableColumn("map_distance", "Mean map: difference", "mean absolute", 0.0, 1.0),
    TableColumn("map_correlation", "Mean map: correlation", "Pearson", -1.0, 1.0),
)
NULL = {"detector": 0.5, "map_correlation": None}  # what no shift gives, where that is not 0


@dataclass(frozen=True)
class Shift:
    """One number of an out-of-set collection against the in-set one, as the page tells it."""

    column: TableColumn
    interval: Interval

    @property
    def signed(self) -> bool:
        """Whether it is a difference, out-of-set less in-set, or a distance."""
        return self.column in SHIFTS

    @property
    def apart(self) -> bool:
        """Whether the interval leaves out what no shift would give."""
        null = NULL.get(self.column.key, 0.0)
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


def within(column: TableColumn, i: Interval) -> Interval:
    """Keep the limits of an interval within the range of its number."""
    if column.low is None or column.high is None:
        return i
    low, high = np.clip([i.low, i.high], column.low, column.high).tolist()
    return replace(i, low=low, high=high)
