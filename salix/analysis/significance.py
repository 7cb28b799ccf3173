"""Significance of differences between groups, and how a difference is written."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from salix.analysis.columns import DASH, NARROW, TableColumn
from salix.stats import GroupComparison

ALPHA = 0.05
Significance = Literal["significant", "interval only", "not significant"]
SIGNIFICANCE: tuple[Significance, ...] = ("significant", "interval only", "not significant")
# Words for the first two in a sentence
STRENGTH = {"significant": "significant", "interval only": "suggestive"}
NEAR = 1e-9  # of the width of an interval: a limit this close to 0 is 0, but for rounding
SHOWN = 40  # rows on the page; all are in the files beside it


def points(text: str) -> str:
    """Write a difference of shares in points, where its number is written with a per cent sign."""
    return text.replace(f"{NARROW}%", "\N{NO-BREAK SPACE}points")


@dataclass(frozen=True)
class Difference:
    """One comparison of two groups in one number, and its significance."""

    column: TableColumn
    comparison: GroupComparison

    @property
    def significance(self) -> Significance:
        """Significant by the corrected p value, by the interval alone, or not."""
        c = self.comparison
        if c.p_adjusted <= ALPHA:
            return "significant"
        edge = NEAR * (c.difference.high - c.difference.low)
        if c.difference.low > edge or c.difference.high < -edge:
            return "interval only"
        return "not significant"

    @property
    def size(self) -> str:
        """Write the difference in the unit of its number, of shares in points."""
        return points(self.column.format(self.comparison.difference.value))

    @property
    def p(self) -> str:
        """Write the corrected p value, a dash where there is no test."""
        p = self.comparison.p_adjusted
        return DASH if np.isnan(p) else f"{p:.3f}" if p >= 0.001 else "< 0.001"


@dataclass(frozen=True)
class Differences:
    """All comparisons, the most significant first; `reference` is what others are compared with.

    With few groups each two are compared, and `reference` is None.
    """

    rows: tuple[Difference, ...]
    reference: str | None

    @property
    def significant(self) -> int:
        """Number of comparisons that are significant after the correction."""
        return sum(d.significance == "significant" for d in self.rows)

    @property
    def tested(self) -> int:
        """Number of comparisons that have a p value."""
        return sum(not np.isnan(d.comparison.p) for d in self.rows)

    @property
    def shown(self) -> tuple[Difference, ...]:
        """The first comparisons, for a page."""
        return self.rows[:SHOWN]

    def of_number(self, key: str) -> "NumberDifferences | None":
        """Return all comparisons of one number; None for none."""
        rows = tuple(d for d in self.rows if d.column.key == key)
        return NumberDifferences(rows) if rows else None


@dataclass(frozen=True)
class NumberDifferences:
    """All comparisons of one number, the most significant first."""

    rows: tuple[Difference, ...]

    @property
    def strongest(self) -> Difference:
        """The comparison of the two groups furthest apart, among the most significant ones."""
        if not self.any_significant:
            return self.rows[0]
        best = [d for d in self.rows if d.significance == self.rows[0].significance]
        return max(best, key=lambda d: abs(d.comparison.difference.value))

    @property
    def any_significant(self) -> bool:
        """Whether any two groups differ, by p value or by interval."""
        return self.rows[0].significance in STRENGTH

    @property
    def groups(self) -> list[str]:
        """The groups that are compared."""
        return list(dict.fromkeys(n for d in self.rows for n in (d.comparison.a, d.comparison.b)))

    @property
    def ends(self) -> tuple[str, str]:
        """The two groups of the strongest comparison, the one with the greater number first."""
        c = self.strongest.comparison
        return (c.a, c.b) if c.difference.value > 0 else (c.b, c.a)

    @property
    def limited(self) -> bool:
        """Whether a sentence must give the number of runs: a single one, or too few for a p."""
        row = self.strongest
        return row.significance != "significant" or row.comparison.over == "images"

    @property
    def run_counts(self) -> str:
        """Write the number of runs of the two groups."""
        m, n = sorted(self.strongest.comparison.n_runs)
        counts = f"{m} and {n} runs" if m != n else "one run each" if m == 1 else f"{m} runs each"
        over_images = self.strongest.comparison.over == "images"
        return f"{counts}, over images alone" if over_images else counts


def distinct_values(column: TableColumn, a: float, b: float) -> tuple[str, str]:
    """Write two values with as many digits as it takes to see which is greater."""
    enough = (d for d in range(2, 6) if column.format(a, d) != column.format(b, d))
    digits = next(enough, 6)
    return column.format(a, digits), column.format(b, digits)
