"""Mean maps: where a group looks on average, for the images of each class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from salix.analysis import frame
from salix.report import heatmap
from salix.store import Run


@dataclass(frozen=True)
class Average:
    """The mean of the living maps of a group over one class: pictures, and how many went in."""

    group: str
    smooth: str
    cells: str
    images: int
    runs: int


@dataclass(frozen=True)
class Averages:
    """A row a class, a cell a group (None where it has no such image); one common colour scale."""

    classes: tuple[str, ...]
    rows: tuple[tuple[Average | None, ...], ...]
    top: float  # the mean that the brightest colour stands for


def averages(runs: Sequence[Run], groups: Sequence[str]) -> Averages | None:
    """Average each image's map, scaled to its own range, over images and runs; None if undrawn.

    All means share the scale from 0 to the greatest mean cell of any, so that they compare.
    """
    drawn = [r for r in runs if len(r.grid) == 2]
    names = list(dict.fromkeys(c for run in drawn for c in run.classes))
    found = {(c, g): _mean(drawn, c, g) for c in (*names, None) for g in groups}
    classes = [c for c in names if any(found[c, g] is not None for g in groups)]
    if not classes:  # no labels: all images together
        classes = [None] if any(found[None, g] is not None for g in groups) else []
    if not classes:
        return None
    means = [m for c in classes for g in groups if (m := found[c, g]) is not None]
    top = max(float(m[0].max()) for m in means) or 1.0
    table = [[_average(g, found[c, g], top) for g in groups] for c in classes]
    titles = tuple("all images" if c is None else f"class {c}" for c in classes)
    return Averages(titles, tuple(map(tuple, table)), top / 255)


def _mean(runs: Sequence[Run], name: str | None, group: str) -> tuple[np.ndarray, int, int] | None:
    """Return the mean map, its number of images and of runs; runs of one grid only."""
    total, images, members = None, 0, 0
    for run in runs:
        if run.group != group or (name is not None and name not in run.classes):
            continue
        columns = frame.measured(run)
        of = ~columns["constant_map"].astype(bool)
        if name is not None:
            of &= columns["label"] == run.classes.index(name)
        if not of.any() or (total is not None and total.shape != run.grid):
            continue
        added = columns["map"][of].astype(np.float64).sum(0)
        total = added if total is None else total + added
        images, members = images + int(of.sum()), members + 1
    return None if total is None else (total / images, images // members, members)


def _average(group: str, found: tuple[np.ndarray, int, int] | None, top: float) -> Average | None:
    if found is None:
        return None
    scaled = np.rint(found[0] * 255 / top).astype(np.uint8)
    return Average(group, heatmap.smooth(scaled), heatmap.cells(scaled), *found[1:])
