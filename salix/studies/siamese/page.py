"""Page of a study of pairs: heat maps of word pairs, all scores, and controls."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salix.report.pair_heat import heat
from salix.studies.pages import write_study_page
from salix.studies.siamese.pairs import ExplainedPair

LARGE = 0.01  # residual of a cosine that asks for more steps
LARGEST = 40  # items of a drawn table of scores


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
