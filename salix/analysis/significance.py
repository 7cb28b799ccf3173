"""Significance of differences between groups, and how a difference is written."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from salix.analysis.columns import DASH, NARROW, TableColumn
from salix.stats import GroupComparison, least_p, minimum_p

ALPHA = 0.05
HITS = ("auc", "accuracy")
LOOKS = ("relevance_mass", "spatial_entropy", "agreement")
Significance = Literal["significant", "interval only", "not significant"]
SIGNIFICANCE: tuple[Significance, ...] = ("significant", "interval only", "not significant")
NEAR = 1e-9  # of the width of an interval: a limit this close to 0 is 0, but for rounding
SHOWN = 40  # rows on the page; all are in the files beside it


def points(text: str) -> str:
    """Write a difference of shares in points, where its number is written with a per cent sign."""
    return text.replace(f"{NARROW}%", "\N{NO-BREAK SPACE}points")


def write_p(p: float) -> str:
    """Write a p value, a dash for none."""
    return DASH if np.isnan(p) else f"{p:.3f}" if p >= 0.001 else "< 0.001"


@dataclass(frozen=True)
class Difference:
    """One comparison of two groups in one number, and its significance.

    `of_headline`: its p value is corrected with those of the headline, not with those of the rest.
    """

    column: TableColumn
    comparison: GroupComparison
    of_headline: bool = True

    @property
    def significance(self) -> Significance:
        """Significant by the corrected p value, by the uncorrected interval alone, or not."""
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
        return write_p(self.comparison.p_adjusted)


@dataclass(frozen=True)
class Design:
    """Numbers of runs of two groups, and the smallest p that exchanging the runs can give.

    `least` is corrected for `tests` pairs of groups; `enough` runs in each would give ALPHA.
    """

    runs: tuple[int, int]
    least: float
    tests: int
    enough: int

    @property
    def exact(self) -> bool:
        """Whether exchanging the runs can give a significant p, and so takes part in it."""
        return self.least <= ALPHA


@dataclass(frozen=True)
class Differences:
    """All comparisons, the most significant first; `reference` is what others are compared with.

    With few groups each two are compared, and `reference` is None. `primary` is the number that the
    headline is about, None for `HITS` and `LOOKS`.
    """

    rows: tuple[Difference, ...]
    reference: str | None
    primary: str | None = None

    @property
    def tested(self) -> tuple[Difference, ...]:
        """The comparisons that have a p value."""
        return tuple(d for d in self.rows if np.isfinite(d.comparison.p_adjusted))

    @property
    def shown(self) -> tuple[Difference, ...]:
        """The first comparisons, for a page."""
        return self.rows[:SHOWN]

    @property
    def designs(self) -> tuple["Design", ...]:
        """Smallest p-values of the permutation tests in the headline's family."""
        family = [d.comparison for d in self.tested if d.of_headline]
        least: dict[tuple[int, int], float] = {}
        for (m, n), p in least_p(family).items():
            least[min(m, n), max(m, n)] = p
        tests = len({(c.a, c.b, c.n_runs) for c in family if c.run_values[0]})
        enough = next(n for n in range(2, 100) if tests * minimum_p(n, n) <= ALPHA)
        return tuple(Design(runs, p, tests, enough) for runs, p in least.items())

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
        """The significant comparison of the two groups furthest apart; the first one without any.

        Groups of several runs come before single models.
        """
        best = [d for d in self.rows if d.significance == "significant"]
        runs = [d for d in best if min(d.comparison.n_runs) > 1]
        return max(runs or best or self.rows[:1], key=lambda d: abs(d.comparison.difference.value))

    @property
    def significant(self) -> int:
        """Number of pairs of groups that differ significantly."""
        return sum(d.significance == "significant" for d in self.rows)

    @property
    def groups(self) -> list[str]:
        """The groups that are compared."""
        return list(dict.fromkeys(n for d in self.rows for n in (d.comparison.a, d.comparison.b)))

    @property
    def ends(self) -> tuple[str, str]:
        """The two groups of the strongest comparison, the one with the greater number first."""
        c = self.strongest.comparison
        return (c.a, c.b) if c.difference.value > 0 else (c.b, c.a)


def distinct_values(column: TableColumn, a: float, b: float) -> tuple[str, str]:
    """Write two values with as many digits as it takes to see which is greater."""
    enough = (d for d in range(2, 6) if column.format(a, d) != column.format(b, d))
    digits = next(enough, 6)
    return column.format(a, digits), column.format(b, digits)
