"""Kept images with the maps of each run, aligned by the image's id."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.analysis import frame
from salix.report import heatmap
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
    constant_map: bool
    alt: str


@dataclass(frozen=True)
class Shown:
    """One image: photograph, outline of its reference mask, and a cell a run (None: not in that run)."""

    id: str
    label: str
    photo: str
    size: tuple[int, int]
    outline: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Gallery:
    """The images that are shown, how many were kept, and the mean share of their reference masks."""

    shown: tuple[Shown, ...]
    kept: int
    region: float | None
    drawn: bool  # maps of one or of three axes are not

    def examples(self, count: int) -> tuple[Shown, ...]:
        """Return the first images with a reference mask, then the first without: never the best."""
        return tuple(sorted(self.shown, key=lambda s: not s.outline)[:count])


def gallery(runs: Sequence[Run]) -> Gallery:
    """Gather the images that runs kept a picture of: the classes in turn, in the data's order."""
    kept: dict[str, tuple[Run, int]] = {}
    for run in runs:
        columns = frame.measured(run)
        for i in np.flatnonzero([t is not None for t in columns.get("thumb", ())]):
            kept.setdefault(str(columns["id"][i]), (run, int(i)))
    most = max(LEAST, min(MOST, PICTURES // len(runs)))
    places = [_places(run, set(kept)) for run in runs]
    found = [_show(id, *kept[id], runs, places) for id in _in_turn(kept)[:most]]
    reference_masks = [frame.measured(run)["reference_mask"][i] for run, i in kept.values()]
    shares = [s for g in reference_masks if (s := heatmap.share_of(g)) is not None]
    region = float(np.mean(shares)) if shares else None
    return Gallery(tuple(found), len(kept), region, any(len(r.grid) == 2 for r in runs))


def _in_turn(kept: dict[str, tuple[Run, int]]) -> list[str]:
    seen: dict[int, int] = {}
    keys = {}
    for id, (run, index) in kept.items():
        label = int(frame.measured(run)["label"][index])
        keys[id] = seen[label] = seen.get(label, -1) + 1
    return sorted(kept, key=keys.__getitem__)


def _places(run: Run, wanted: set[str]) -> dict[str, int]:
    ids = frame.measured(run)["id"]
    return {str(id): i for i, id in enumerate(ids) if id in wanted}


def _show(
    id: str, run: Run, index: int, runs: Sequence[Run], places: Sequence[dict[str, int]]
) -> Shown:
    columns = frame.measured(run)
    photo, size = heatmap.photograph(columns["thumb"][index]) or ("", (96, 96))
    label = int(columns["label"][index])
    made = [_cell(r, p[id]) if id in p else None for r, p in zip(runs, places, strict=True)]
    return Shown(
        id=id,
        label=run.classes[label] if label >= 0 else "",
        photo=photo,
        size=size,
        outline=heatmap.outline(columns["reference_mask"][index], size),
        cells=tuple(made),
    )


def _cell(run: Run, index: int) -> Cell:
    columns = frame.measured(run)
    row: dict[str, Any] = {
        n: columns[n][index] for n in ("label", "predicted", "constant_map", "map")
    }
    predicted, label = run.classes[int(row["predicted"])], int(row["label"])
    p, two = frame.probabilities(run, index), len(run.classes) == 2
    named = run.classes[1] if two else predicted
    value = p[1] if two else p[int(row["predicted"])]
    probability = f"P({named}) = {value:.2f}" if np.isfinite(value) else f"P({named}) not finite"
    verdict = "" if label < 0 else "right" if label == int(row["predicted"]) else "wrong"
    map, constant_map = row["map"], bool(row["constant_map"])
    draw = map.ndim == 2 and not constant_map
    what = "constant map" if constant_map else "salience map"
    return Cell(
        smooth=heatmap.smooth(map) if draw else "",
        cells=heatmap.cells(map) if draw else "",
        predicted=predicted,
        probability=probability,
        verdict=verdict,
        constant_map=constant_map,
        alt=f"{what} of {run.name}: predicted {predicted}, {probability}"
        + (f", {verdict}" if verdict else ""),
    )
