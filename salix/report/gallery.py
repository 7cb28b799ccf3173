"""Kept images with the maps of each run, aligned by the image's id."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.report import pictures, rows
from salix.store import Run

PICTURES = 240  # maps on a page, which keeps it small with many runs
MOST, LEAST = 24, 6  # images


@dataclass(frozen=True)
class Cell:
    """What one run did to one image; `verdict` is "right", "wrong" or "" without a label."""

    smooth: str
    cells: str
    predicted: str
    probability: str
    verdict: str
    dead: bool
    alt: str


@dataclass(frozen=True)
class Shown:
    """One image: photograph, outline of its guide, and a cell a run (None: not in that run)."""

    id: str
    label: str
    photo: str
    size: tuple[int, int]
    outline: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Gallery:
    """The images that are shown, how many were kept, and the mean share of their guides."""

    shown: tuple[Shown, ...]
    kept: int
    region: float | None
    drawn: bool  # maps of one or of three axes are not

    def examples(self, count: int) -> tuple[Shown, ...]:
        """Return the first images with a guide, then the first without: never the best."""
        return tuple(sorted(self.shown, key=lambda s: not s.outline)[:count])


def gallery(runs: Sequence[Run]) -> Gallery:
    """Gather the images that runs kept a picture of: the classes in turn, in the data's order."""
    kept: dict[str, tuple[Run, int]] = {}
    for run in runs:
        columns = rows.measured(run)
        for i in np.flatnonzero([t is not None for t in columns.get("thumb", ())]):
            kept.setdefault(str(columns["id"][i]), (run, int(i)))
    most = max(LEAST, min(MOST, PICTURES // len(runs)))
    places = [_places(run, set(kept)) for run in runs]
    found = [_show(id, *kept[id], runs, places) for id in _in_turn(kept)[:most]]
    guides = [rows.measured(run)["guide"][i] for run, i in kept.values()]
    shares = [s for g in guides if (s := pictures.share_of(g)) is not None]
    region = float(np.mean(shares)) if shares else None
    return Gallery(tuple(found), len(kept), region, any(len(r.grid) == 2 for r in runs))


def _in_turn(kept: dict[str, tuple[Run, int]]) -> list[str]:
    seen: dict[int, int] = {}
    keys = {}
    for id, (run, index) in kept.items():
        label = int(rows.measured(run)["label"][index])
        keys[id] = seen[label] = seen.get(label, -1) + 1
    return sorted(kept, key=keys.__getitem__)


def _places(run: Run, wanted: set[str]) -> dict[str, int]:
    ids = rows.measured(run)["id"]
    return {str(id): i for i, id in enumerate(ids) if id in wanted}


def _show(
    id: str, run: Run, index: int, runs: Sequence[Run], places: Sequence[dict[str, int]]
) -> Shown:
    columns = rows.measured(run)
    photo, size = pictures.photograph(columns["thumb"][index]) or ("", (96, 96))
    label = int(columns["label"][index])
    made = [_cell(r, p[id]) if id in p else None for r, p in zip(runs, places, strict=True)]
    return Shown(
        id=id,
        label=run.classes[label] if label >= 0 else "",
        photo=photo,
        size=size,
        outline=pictures.outline(columns["guide"][index], size),
        cells=tuple(made),
    )


def _cell(run: Run, index: int) -> Cell:
    columns = rows.measured(run)
    row: dict[str, Any] = {n: columns[n][index] for n in ("label", "predicted", "dead", "map")}
    predicted, label = run.classes[int(row["predicted"])], int(row["label"])
    p, two = rows.probabilities(run, index), len(run.classes) == 2
    named = run.classes[1] if two else predicted
    value = p[1] if two else p[int(row["predicted"])]
    probability = f"P({named}) = {value:.2f}" if np.isfinite(value) else f"P({named}) not finite"
    verdict = "" if label < 0 else "right" if label == int(row["predicted"]) else "wrong"
    map, dead = row["map"], bool(row["dead"])
    draw = map.ndim == 2 and not dead
    what = "dead map" if dead else "salience map"
    return Cell(
        smooth=pictures.smooth(map) if draw else "",
        cells=pictures.cells(map) if draw else "",
        predicted=predicted,
        probability=probability,
        verdict=verdict,
        dead=dead,
        alt=f"{what} of {run.name}: predicted {predicted}, {probability}"
        + (f", {verdict}" if verdict else ""),
    )
