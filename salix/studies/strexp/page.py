"""Page of a STRExp study: words with a strip for each character, and tables by method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salix.plot.colours import diverging_colours
from salix.report.heatmap import data_address
from salix.studies.pages import write_study_page
from salix.studies.strexp.measure import ranking_names
from salix.studies.strexp.run import StudyRows
from salix.studies.strexp.selectivity import FILLS

WORDS = 8  # shown of those read right, and of those read wrong
OPACITY = 0.6  # of a map at its greatest value


@dataclass(frozen=True)
class CharacterStrip:
    """The map of a character, or of the word, over its image; `box` is its true extent."""

    character: str
    wrong: bool
    picture: str
    box: tuple[int, int, int, int] | None


@dataclass(frozen=True)
class ShownWord:
    """A word of the page: what is written, what is read, its image and its strips."""

    truth: str
    prediction: str
    condition: str
    photo: str
    strips: tuple[CharacterStrip, ...]


def write_page(out: Path, rows: StudyRows, tables: Mapping[str, Any]) -> Path:
    """Write `strexp.html`, one page without other files."""
    return write_study_page(
        out / "strexp.html",
        Path(__file__).parent,
        filters={"number": _number},
        headline=headline(tables),
        tables=tables,
        right=shown_words(rows, wrong=False),
        wrong=shown_words(rows, wrong=True),
        selectivity=_by_ranking(tables["selectivity"], rows),
        comparisons=_by_title(tables["comparisons"]),
        localisation=_by_title(tables["localisation"]),
        errors=_by_title(tables["errors"]),
        fills=FILLS,
    )


def headline(tables: Mapping[str, Any]) -> str:
    """Return a sentence on STRExp and Shapley values of equally many passes."""
    for row in tables["comparisons"]:
        title, curve, fill = row["of"]
        if title.startswith("equal passes: n") and (curve, fill) == ("confidence", FILLS[0]):
            if row["low"] is None:
                return f"{tables['explained']} words explained by character"
            if row["low"] <= 0 <= row["high"]:
                return "With equal passes STRExp selects no better than Shapley values"
            better = "better" if row["high"] < 0 else "worse"
            return f"With equal passes STRExp selects {better} than Shapley values"
    return f"{tables['explained']} words explained by character"


def shown_words(rows: StudyRows, *, wrong: bool) -> tuple[ShownWord, ...]:
    """Return the first words that are read right or wrong, one of each true word."""
    shown: dict[str, ShownWord] = {}
    for index, image in enumerate(rows.read.images):
        known = image.truth or image.name
        mistaken = bool(image.truth) and image.truth != rows.read.predictions[index]
        if mistaken == wrong and known not in shown and len(shown) < WORDS:
            shown[known] = _shown(rows, index)
    return tuple(shown.values())


def _shown(rows: StudyRows, index: int) -> ShownWord:
    image, word = rows.read.images[index], rows.read.words[index]
    maps, extents = rows.maps(index), rows.read.extents[index]
    strips = [CharacterStrip("word", False, overlay(image.pixels, maps[0]), None)]
    for i, character in enumerate(word):
        comparable = len(word) == len(image.truth)
        mistaken = comparable and character != image.truth[i]
        picture = overlay(image.pixels, maps[i + 1])
        strips.append(CharacterStrip(_spelled(character), mistaken, picture, _box(extents[i])))
    photo = picture_address(np.repeat(image.pixels[..., None], 3, -1))
    truth, prediction = image.truth, _spelled(rows.read.predictions[index])
    return ShownWord(truth, prediction, image.condition, photo, tuple(strips))


def _spelled(text: str) -> str:
    """Return a text whose spaces can be told from nothing."""
    return text.replace(" ", "␣")


def _box(extent: Any) -> tuple[int, int, int, int] | None:
    rows, columns = np.flatnonzero(extent.any(1)), np.flatnonzero(extent.any(0))
    if not len(rows):
        return None
    left, top = int(columns[0]), int(rows[0])
    return left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top


def overlay(pixels: Any, map: Any) -> str:
    """Return a picture of a signed map over an image: orange for, blue against; as an address.

    Colours and opacity are relative to the greatest absolute value of the map.
    """
    peak = float(np.abs(map).max()) or 1.0
    share = map / peak
    colour = diverging_colours()[np.rint(128 + 128 * share).astype(int)]
    opacity = OPACITY * np.abs(share)[..., None] + 0.1
    blended = (1 - opacity) * pixels[..., None] + opacity * colour
    return picture_address(np.rint(blended).astype(np.uint8))


def picture_address(pixels: Any) -> str:
    """Return an image [h w 3] as a PNG in a data address."""
    from PIL import Image

    return data_address(Image.fromarray(np.ascontiguousarray(pixels)), "PNG")


def _by_ranking(table: Sequence[Mapping[str, Any]], rows: StudyRows) -> list[tuple[str, Any]]:
    """Return the rankings with their areas by (curve, fill), the best confidence area first."""
    cells = {tuple(row["of"]): row for row in table}
    names = ranking_names(rows.methods, runs=rows.study.runs)
    order = sorted(names, key=lambda name: cells[name, "confidence", FILLS[0]]["mean"])
    return [(n, {of[1:]: row for of, row in cells.items() if of[0] == n}) for n in order]


def _by_title(table: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[Any, Any]]:
    grouped: dict[str, dict[Any, Any]] = {}
    for row in table:
        title, *rest = row["of"]
        grouped.setdefault(title, {})[tuple(rest)] = row
    return grouped


def _number(row: Mapping[str, Any] | None, digits: int = 3, part: str = "mean") -> str:
    if row is None or row[part] is None:
        return ""
    return f"{row[part]:.{digits}f}".replace("-", "−")
