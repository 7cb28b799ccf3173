"""Page of a study of instruction tuning: densities, heat maps, layers and shifts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from salix.plot.colours import colours
from salix.studies.instruction.densities import THRESHOLD
from salix.studies.instruction.measure import SCOPES, THRESHOLDS
from salix.studies.pages import write_study_page


def write_page(out: Path, results: Mapping[str, Any]) -> Path:
    """Write `instruction.html`, one page without other files, of the views in the results."""
    return write_study_page(
        out / "instruction.html",
        Path(__file__).parent,
        filters={"number": number, "colour": colour},
        headline=page_headline(results),
        answers=results.get("answers"),
        densities=density_table(results["answers"]["densities"]) if "answers" in results else {},
        concepts=results.get("concepts"),
        attention=results.get("attention"),
        tuning=results.get("tuning"),
        matrices=results.get("matrices"),
        scopes=SCOPES,
        thresholds=THRESHOLDS,
        published=THRESHOLD,
    )


def page_headline(results: Mapping[str, Any]) -> str:
    """Return a sentence on the first view of the results."""
    if "answers" in results:
        return results["answers"]["headline"]
    if "tuning" in results:
        shift = results["tuning"]["numbers"]["tuned"]["density shift"]
        if shift["low"] is None or shift["low"] <= 0 <= shift["high"]:
            return "No shift of the density of instructions is shown after tuning"
        direction = "rises" if shift["mean"] > 0 else "falls"
        return f"The density of instructions {direction} after tuning, by {abs(shift['mean']):.2f}"
    if "matrices" in results:
        return "The published densities of instructions, recomputed"
    return "The weights of a language model as words"


def density_table(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[Any, Any]]:
    """Return the rows of densities by condition, then by scope and threshold."""
    table: dict[str, dict[Any, Any]] = {}
    for row in rows:
        table.setdefault(row["condition"], {})[row["scope"], row["threshold"]] = row
    return table


def number(row: Mapping[str, Any] | float | None, digits: int = 3, part: str = "mean") -> str:
    """Return a number, or one part of an interval, "" where it is not defined."""
    value = row[part] if isinstance(row, Mapping) else row
    return "" if value is None else f"{value:.{digits}f}".replace("-", "−")


def colour(share: float) -> str:
    """Return a style of the background of a cell, for a share in [0, 1]."""
    red, green, blue = (int(v) for v in colours()[round(255 * min(max(share, 0), 1))])
    return f"background:rgb({red},{green},{blue})"
