"""What the report says of a comparison of two groups, in the same words everywhere."""

from dataclasses import dataclass

import numpy as np

from salix.analysis.columns import NARROW, NONE, TableColumn
from salix.stats import GroupComparison

ALPHA = 0.05
VERDICTS = ("clear", "interval only", "not clear")  # the strongest first
NEAR = 1e-9  # of the width of an interval: a limit this close to 0 is 0, but for rounding
SHOWN = 40  # rows on the page; all are in the files beside it


def points(text: str) -> str:
    """Write a difference of shares in points, where its number is written with a per cent sign."""
    return text.replace(f"{NARROW}%", "\N{NO-BREAK SPACE}points")


@dataclass(frozen=True)
class Difference:
    """A comparison with its column and its verdict in words."""

    column: TableColumn
    comparison: GroupComparison

    @property
    def verdict(self) -> str:
        """Say what the corrected p value and the interval allow."""
        c = self.comparison
        if c.p_adjusted <= ALPHA:
            return "clear"
        edge = NEAR * (c.difference.high - c.difference.low)
        if c.difference.low > edge or c.difference.high < -edge:
            return "interval only"
        return "not clear"

    @property
    def size(self) -> str:
        """Write the difference in the unit of its number, of shares in points."""
        return points(self.column.format(self.comparison.difference.value))

    @property
    def p(self) -> str:
        """Write the corrected p value, a dash where there is no test."""
        p = self.comparison.p_adjusted
        return NONE if np.isnan(p) else f"{p:.3f}" if p >= 0.001 else "< 0.001"


@dataclass(frozen=True)
class Differences:
    """All comparisons, the clearest first; `reference` is the group that others are held to."""

    found: tuple[Difference, ...]
    reference: str | None

    @property
    def clear(self) -> int:
        """How many are clear after the correction."""
        return sum(d.verdict == "clear" for d in self.found)

    @property
    def tested(self) -> int:
        """How many have a p value."""
        return sum(not np.isnan(d.comparison.p) for d in self.found)

    @property
    def shown(self) -> tuple[Difference, ...]:
        """The first of them."""
        return self.found[:SHOWN]
