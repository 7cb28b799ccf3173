"""Positions of the parts of a face in the images of a run, from the rule by which it was cut."""

from dataclasses import replace

from salix.analysis.face_parts import FaceParts
from salix.report.comparison.images import run_preprocess
from salix.store import Run
from salix.store.faces import face_settings
from salix.typing import InputError

SQUARE = 112  # pixels a side of the face without margins, by which positions are scaled


def face_layout(run: Run) -> FaceParts | None:
    """Return the parts of the faces of a run as its model sees them; None for images not cut.

    Of an aligned face they are at the positions of ArcFace, and of a box at the same positions of
    the box; the margin and the crop of the preprocessing move them.
    """
    rule = face_settings(run.manifest)
    return moved_layout(FaceParts(), run, margin=rule["margin"]) if rule else None


def moved_layout(layout: FaceParts, run: Run, *, margin: float = 0.0) -> FaceParts | None:
    """Return parts of a square crop in the frame that the model of a run sees, after its margin.

    `margin` is on each side, a fraction of the face. None where the preprocessing cuts the eyes or
    the mouth off.
    """
    box = run_preprocess(run).box(SQUARE, SQUARE)
    left, top, right, bottom = (value / SQUARE for value in box)
    height, width, scale = bottom - top, right - left, 1 + 2 * margin
    try:
        return replace(
            layout,
            eyes=((layout.eyes + margin) / scale - top) / height,
            mouth=((layout.mouth + margin) / scale - top) / height,
            distance=layout.distance / scale / width,
        )
    except InputError:
        return None
