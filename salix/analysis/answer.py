"""What the table of differences says of one number."""

from dataclasses import dataclass

from salix.analysis.columns import TableColumn
from salix.analysis.significance import Difference

WORDS = {"clear": "clear", "interval only": "suggestive"}  # what tells groups apart, in a sentence


@dataclass(frozen=True)
class Answer:
    """The rows of one number in the table of differences, in its order."""

    rows: tuple[Difference, ...]

    @property
    def row(self) -> Difference:
        """The two groups furthest apart of those with the strongest verdict, if it is one."""
        if not self.told:
            return self.rows[0]
        best = [d for d in self.rows if d.verdict == self.rows[0].verdict]
        return max(best, key=lambda d: abs(d.comparison.difference.value))

    @property
    def told(self) -> bool:
        """Whether the table tells any two groups apart."""
        return self.rows[0].verdict in WORDS

    @property
    def names(self) -> list[str]:
        """The groups that are compared."""
        return list(dict.fromkeys(n for d in self.rows for n in (d.comparison.a, d.comparison.b)))

    @property
    def ends(self) -> tuple[str, str]:
        """The two groups of the row, the one with more first."""
        c = self.row.comparison
        return (c.a, c.b) if c.difference.value > 0 else (c.b, c.a)

    @property
    def limited(self) -> bool:
        """Whether the number of runs belongs to the claim: there is one, or too few for a p."""
        return self.row.verdict != "clear" or self.row.comparison.over == "images"

    @property
    def runs(self) -> str:
        """Write the number of runs of the two groups."""
        m, n = sorted(self.row.comparison.n_runs)
        of = f"{m} and {n} runs" if m != n else "one run each" if m == 1 else f"{m} runs each"
        return f"{of}, over images alone" if self.row.comparison.over == "images" else of


def apart(column: TableColumn, a: float, b: float) -> tuple[str, str]:
    """Write two values with as many digits as it takes to see which is greater."""
    enough = (d for d in range(2, 6) if column.format(a, d) != column.format(b, d))
    digits = next(enough, 6)
    return column.format(a, digits), column.format(b, digits)
