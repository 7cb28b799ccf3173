"""Heat maps of pairs as table cells: blue adds, orange takes away, the number in the cell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

POSITIVE, NEGATIVE = (0, 114, 178), (196, 78, 0)  # of the palette of reports, on white


@dataclass(frozen=True)
class Cell:
    """Cell of a heat map: its colours, its number, and a title with more digits."""

    background: str
    ink: str
    value: float
    title: str

    @property
    def text(self) -> str:
        """The number with two decimals, without the sign of a rounded zero."""
        return (
            f"{round(self.value, 2) + 0.0:.2f}".replace("-", "−") if np.isfinite(self.value) else ""
        )


def heat(
    matrix: np.ndarray, rows: Sequence[str], columns: Sequence[str]
) -> list[tuple[str, list[Cell]]]:
    """Return the rows of a heat map as (name, cells), in one scale symmetric about 0."""
    matrix = np.asarray(matrix, np.float64)
    top = float(np.abs(matrix).max(initial=0)) or 1.0
    return [
        (row, [_cell(v, top, f"{row}, {column}") for v, column in zip(line, columns, strict=True)])
        for row, line in zip(rows, matrix, strict=True)
    ]


def _cell(value: float, top: float, names: str) -> Cell:
    share = min(abs(value) / top, 1.0)
    end = POSITIVE if value > 0 else NEGATIVE
    mixed = [round(255 + share * (channel - 255)) for channel in end]
    ink = "#fff" if share > 0.6 else "#1c1c1a"
    return Cell("rgb({},{},{})".format(*mixed), ink, float(value), f"{names}: {value:+.4f}")
