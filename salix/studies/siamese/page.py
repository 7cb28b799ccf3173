"""Page of a study of pairs: heat maps of word pairs, all scores, and controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salix.studies.pages import write_study_page
from salix.studies.siamese.pairs import ExplainedPair

POSITIVE, NEGATIVE = (0, 114, 178), (196, 78, 0)  # of the palette of reports, on white
LARGE = 0.01  # residual of a cosine that asks for more steps
LARGEST = 40  # items of a drawn table of scores


@dataclass(frozen=True)
class Cell:
    """Cell of a heat map: its colours and its number."""

    background: str
    ink: str
    value: float
    title: str


def write_page(
    out: Path,
    results: Mapping[str, Any],
    pairs: Sequence[ExplainedPair],
    summary: Mapping[str, Any],
    pictures: Mapping[str, str],
) -> Path:
    """Write `similar.html` and return its path; `pictures` are data addresses by item."""
    names = list(pictures)
    return write_study_page(
        out / "similar.html",
        Path(__file__).parent,
        filters={"number": _number},
        headline=headline(pairs),
        results=results,
        pairs=[_drawn(pair, pictures) for pair in pairs],
        summary=summary,
        names=names,
        large=LARGE,
        scores=heat(summary["scores"], names, names) if len(names) <= LARGEST else [],
    )


def headline(pairs: Sequence[ExplainedPair]) -> str:
    """Return a sentence on how concentrated the drawn similarities are."""
    shares = [pair.explaining(0.5) / pair.words.size for pair in pairs]
    return (
        f"Half of the attributions of a similarity stand in {np.median(shares):.0%} of the pairs "
        f"of parts, {min(shares):.0%} to {max(shares):.0%}"
    )


def heat(matrix: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> list[Any]:
    """Return the rows of a heat map as (name, cells), in one scale symmetric about 0."""
    matrix = np.asarray(matrix, np.float64)
    top = float(np.abs(matrix).max()) or 1.0
    return [
        (row, [_cell(value, top, f"{row}, {column}") for value, column in zip(line, columns)])  # noqa: B905
        for row, line in zip(rows, matrix, strict=True)
    ]


def _cell(value: float, top: float, names: str) -> Cell:
    share = min(abs(value) / top, 1.0)
    end = POSITIVE if value > 0 else NEGATIVE
    mixed = [round(255 + share * (channel - 255)) for channel in end]
    ink = "#fff" if share > 0.6 else "#1c1c1a"
    return Cell("rgb({},{},{})".format(*mixed), ink, float(value), f"{names}: {value:+.4f}")


def _drawn(pair: ExplainedPair, pictures: Mapping[str, str]) -> dict[str, Any]:
    """Return the row of a pair with its heat map and pictures."""
    return pair.row() | {
        "columns": pair.b.word_names,
        "heat": heat(pair.words, pair.a.word_names, pair.b.word_names),
        "strongest": pair.strongest(3),
        "pictures": [p for p in (pictures[pair.a.name], pictures[pair.b.name]) if p],
    }


def _number(value: float, digits: int = 3) -> str:
    value = round(value, digits) + 0.0  # without the sign of a rounded zero
    return f"{value:.{digits}f}".replace("-", "−") if np.isfinite(value) else ""
