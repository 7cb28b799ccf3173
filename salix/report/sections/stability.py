"""How alike the maps of two models are, and the images on which runs agree most and least."""

from dataclasses import dataclass

import numpy as np

from salix.analysis import frame
from salix.analysis.agreement import Compared
from salix.report import heatmap
from salix.store import Run

EXTREMES = 3  # images at either end
MATRIX = 24  # runs at most; more are not readable


@dataclass(frozen=True)
class Row:
    """One image with a picture of each run's map (None where constant), and how alike they are."""

    id: str
    label: str
    similarity: float
    maps: tuple[tuple[str, str] | None, ...]  # address, text


@dataclass(frozen=True)
class Stable:
    """The matrix of pairs, shade and number a cell, and the two ends of the images."""

    names: tuple[tuple[str, str], ...]  # run, group
    cells: tuple[tuple[tuple[str, float], ...], ...]
    images: int
    left_out: int
    most: tuple[Row, ...]
    least: tuple[Row, ...]


def stable(compared: Compared | None) -> Stable | None:
    """Lay out a comparison of all runs; None where there is none."""
    if compared is None or len(compared.runs) > MATRIX:
        return None
    shades = [[(f"{max(0.0, v) * 0.5:.3f}", float(v)) for v in line] for line in compared.mean]
    order = np.argsort(compared.within, kind="stable")
    order = order[np.isfinite(compared.within[order])]
    ends = order[:EXTREMES], order[::-1][:EXTREMES]
    if len(order) < 2 * EXTREMES or len(compared.runs[0].grid) != 2:
        ends = (order[:0], order[:0])
    least, most = (tuple(_row(compared, int(i)) for i in end) for end in ends)
    return Stable(
        names=tuple((r.name, r.group) for r in compared.runs),
        cells=tuple(map(tuple, shades)),
        images=len(compared.ids),
        left_out=max(compared.left_out),
        most=most,
        least=least,
    )


def _row(compared: Compared, index: int) -> Row:
    id = compared.ids[index]
    found = [_map(run, id) for run in compared.runs]
    label = next((label for label, _ in found if label), "")
    return Row(id, label, float(compared.within[index]), tuple(picture for _, picture in found))


def _map(run: Run, id: str) -> tuple[str, tuple[str, str] | None]:
    columns = frame.measured(run)
    at = int(np.flatnonzero(columns["id"] == id)[0])
    label = int(columns["label"][at])
    name = run.classes[label] if label >= 0 else ""
    if columns["constant_map"][at]:
        return name, None
    predicted = run.classes[int(columns["predicted"][at])]
    text = f"salience map of {run.name}, predicted {predicted}"
    return name, (heatmap.cells(columns["map"][at]), text)
