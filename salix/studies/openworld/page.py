"""Page of the open-world study: scores, families with their evidence, and the embedding."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from salix.plot import blend
from salix.report.heatmap import data_address
from salix.report.palette import Palette, Swatch
from salix.stats import Interval
from salix.studies.intervals import mean_with_half
from salix.studies.openworld.cues import Cues
from salix.studies.openworld.data import OpenWorldSet, OpenWorldSetting
from salix.studies.openworld.embedding import SIZE, THUMB, marks
from salix.studies.openworld.evidence import CUT, METHOD, FamilyEvidence
from salix.studies.openworld.metrics import best_matching
from salix.studies.openworld.results import COLUMNS, OpenWorldResults
from salix.studies.pages import write_study_page
from salix.studies.siamese.page import heat

EXAMPLES = 3  # faces of a family
SHOWN = 3  # classes to which a family's faces go


@dataclass(frozen=True)
class ShownFace:
    """A face of a family and its map, as data addresses, and the class that it was given."""

    photo: str
    overlay: str
    predicted: str


@dataclass(frozen=True)
class FamilyCard:
    """A family on the page: its sign, faces, mean map, where its faces went and its measures."""

    name: str
    known: bool
    swatch: Swatch
    examples: tuple[ShownFace, ...]
    mean: str
    attributed: tuple[tuple[str, float], ...]
    share: str
    area: float | None
    within: float
    between: tuple[str, float]


@dataclass(frozen=True, eq=False)
class ExplainedNetwork:
    """Evidence of one network on test faces: predicted classes, evidence and places in a plane."""

    approach: str
    seed: int
    predictions: Int[np.ndarray, " n"]
    evidence: FamilyEvidence
    points: Float[np.ndarray, "n 2"]


def write_page(
    out: Path,
    results: OpenWorldResults,
    setting: OpenWorldSetting,
    data: OpenWorldSet,
    explained: ExplainedNetwork,
    cues: Sequence[Cues],
) -> Path:
    """Write `openworld.html`, one page without other files."""
    images = explained.evidence.images
    labels, known = data.labels[images], len(setting.known)
    named = predicted_names(data, explained)
    titles = [
        f"{data.names[f]}, taken for {n}" if n != data.names[f] else n
        for f, n in zip(labels.tolist(), named, strict=True)
    ]
    return write_study_page(
        out / "openworld.html",
        Path(__file__).parent,
        filters={"number": _number, "interval": mean_with_half},
        headline=headline(results),
        results=results,
        setting=setting,
        columns=COLUMNS,
        explained=explained,
        cards=[_card(f, data, explained, named) for f in range(len(data.names))],
        marks=marks(explained.points, labels, titles, data.names, known, data.x[images]),
        size=SIZE,
        thumb=THUMB,
        palette=Palette(data.names),
        names=data.names,
        known=known,
        similarity=heat(np.nan_to_num(explained.evidence.similarity), data.names, data.names),
        cues=cues,
        method=repr(METHOD),
        cut=CUT,
    )


def headline(results: OpenWorldResults) -> str:
    """Return a sentence on the accuracy of CPL, or of the first approach, and of labels alone."""
    name = "CPL" if "CPL" in results.rows else next(iter(results.rows))
    row = results.rows[name]
    text = (
        f"{name} names the family of {row['known accuracy'].value:.0%} of forgeries by known "
        f"methods, and groups {row['novel accuracy'].value:.0%} of those by novel ones"
    )
    if name == "CPL" and (base := results.rows.get("CE")):
        text += f"; labels alone {base['novel accuracy'].value:.0%}"
    return text


def predicted_names(data: OpenWorldSet, explained: ExplainedNetwork) -> list[str]:
    """Return the class of each test face by name: that of the best matching of all of them."""
    match = best_matching(data.labels[explained.evidence.images], explained.predictions)
    return [data.names[match[p]] for p in explained.predictions.tolist()]


def _card(
    family: int, data: OpenWorldSet, explained: ExplainedNetwork, named: Sequence[str]
) -> FamilyCard:
    evidence, name = explained.evidence, data.names[family]
    rows = np.flatnonzero(data.labels[evidence.images] == family)
    classes, counts = np.unique([named[i] for i in rows.tolist()], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:SHOWN]
    similar = evidence.similarity[family].copy()
    within, similar[family] = float(similar[family]), -np.inf
    nearest = int(np.nan_to_num(similar, nan=-np.inf).argmax())
    share = evidence.share[family]
    faces = rows[np.linspace(0, len(rows) - 1, min(EXAMPLES, len(rows))).astype(int)]
    mean = evidence.mean[family]
    blank = np.full((*data.x.shape[1:3], 3), 255, np.uint8)
    return FamilyCard(
        name,
        bool(data.known[evidence.images[rows[0]]]),
        Palette(data.names)[name],
        tuple(_example(i, data, explained, named) for i in faces.tolist()),
        _address(blend(blank, mean, opacity=1.0)),
        tuple((str(classes[i]), float(counts[i]) / len(rows)) for i in order),
        _interval(share),
        evidence.area[family],
        within,
        (data.names[nearest], float(evidence.similarity[family, nearest])),
    )


def _example(
    i: int, data: OpenWorldSet, explained: ExplainedNetwork, named: Sequence[str]
) -> ShownFace:
    pixels = data.x[explained.evidence.images[i]]
    drawn = blend(pixels, explained.evidence.maps[i], opacity=0.55)
    return ShownFace(_address(pixels), _address(drawn), named[i])


def _interval(share: Interval | None) -> str:
    return "" if share is None else mean_with_half(share)


def _address(pixels: np.ndarray) -> str:
    from PIL import Image

    return data_address(Image.fromarray(pixels), "PNG")


def _number(value: Any, digits: int = 2) -> str:
    return f"{value:.{digits}f}".replace("-", "−") if np.isfinite(value) else ""
