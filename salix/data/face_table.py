"""Tables of faces: boxes or landmarks of the images of a source, any number for each."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from salix.atomic import atomic
from salix.data.face_cut import LANDMARKS
from salix.data.face_detector import FaceDetector
from salix.data.notes import note
from salix.data.table_files import read_cells
from salix.data.texts import repeated
from salix.typing import InputError

BOX = ("x0", "y0", "x1", "y1")
POINTS = tuple(f"{name}_{axis}" for name in LANDMARKS for axis in "xy")


@dataclass(frozen=True, eq=False)
class FaceTable:
    """Faces in the order of their images, those of one image in the order of the file.

    `images[face]` are positions in the source; `boxes[face]` left, top, right and bottom in pixels,
    `landmarks[face]` five positions (x, y) of pixels, NaN where the file has none; `places[face]`
    the line or row of the file, for messages. `detector` is the one whose faces they are, None for
    those of a file; `unreadable` the positions of the images that it could not read.
    """

    images: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    places: Sequence[str] = field(repr=False)
    detector: FaceDetector | None = None
    unreadable: tuple[int, ...] = field(default=(), repr=False)

    @cached_property
    def sides(self) -> Float[np.ndarray, "n 2"]:
        """Width and height of each box, or of the landmarks' box without one, in pixels."""
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        spread = self.landmarks.max(1) - self.landmarks.min(1)
        return np.maximum(np.nan_to_num(np.where(np.isnan(sides), spread, sides)), 0)


def read_faces(file: Path | str, ids: Sequence[str], *, landmarks: bool) -> FaceTable:
    """Read the faces of images: columns `id` and `x0,y0,x1,y1`, or five landmarks (`POINTS`).

    CSV, Parquet or JSON. With `landmarks` these are required, otherwise the box. A row with neither
    tells that its image has no face. Faces of images that are not in the data are counted on
    stderr. Raises `InputError` for a file without these columns, for values that are no numbers
    or some of which are missing, and where no id is in the data.
    """
    file = Path(file)
    cells = read_cells(file)
    header = [str(name).strip().casefold() for name in cells.header]
    if (twice := repeated(header)) is not None:
        raise InputError(f"{file} has several columns {twice}: keep one of them")
    required = POINTS if landmarks else BOX
    if missing := [name for name in ("id", *required) if name not in header]:
        raise InputError(
            f"{file} has no column {', '.join(missing)}: give id, {', '.join(required)}, in pixels "
            f"of the original image; there are {', '.join(map(str, cells.header))}"
        )
    columns = {n: header.index(n) for n in (*BOX, *POINTS) if n in header}
    positions = {id: i for i, id in enumerate(ids)}
    faces: list[tuple[int, list[float], list[float], str]] = []
    known, others, first, count = 0, 0, "", 0
    for number, values in cells.rows:
        place = f"{cells.unit} {number}"
        id = values[header.index("id")]
        if id is None or not str(id).strip():
            if all(v is None or not str(v).strip() for v in values):
                continue
            raise InputError(f"{file}, {place} has no id: give the id of its image, as {ids[0]!r}")
        count += 1
        position = positions.get(id := str(id).strip())
        numbers = {n: _number(file, place, n, values[k]) for n, k in columns.items()}
        box, points = ([numbers.get(n, math.nan) for n in names] for names in (BOX, POINTS))
        for names, part in ((BOX, box), (POINTS, points)):
            if 0 < sum(map(math.isnan, part)) < len(part):
                raise InputError(
                    f"{file}, {place}: some of {', '.join(names)} have no number: give all of "
                    "them, or none where the image has no face"
                )
        if position is None:
            others, first = others + 1, first or id
            continue
        known += 1
        if not math.isnan((points if landmarks else box)[0]):
            faces.append((position, box, points, place))
    if not known:
        example = f", {first!r} first" if count else ""
        raise InputError(
            f"{file}: none of its {count} ids is in the data{example}: give ids as those of the "
            f"run, {ids[0]!r} first"
        )
    if others:
        note(f"{file.name}: {others} of {count} rows are of images that are not in the data")
    faces.sort(key=lambda face: face[0])  # stable: those of an image stay in the file's order
    return FaceTable(
        np.array([face[0] for face in faces], np.int64),
        np.array([face[1] for face in faces], float).reshape(-1, 4),
        np.array([face[2] for face in faces], float).reshape(-1, 5, 2),
        tuple(face[3] for face in faces),
    )


def write_faces(faces: FaceTable, ids: Sequence[str], file: Path) -> None:
    """Write the boxes of faces as CSV or Parquet, as `read_faces` reads them.

    A row for each face, in the order of the images; an image without one has a row without numbers.
    Raises `InputError` for a file of another suffix.
    """
    check_suffix(file)
    rows = [[i, *box] for i, box in zip(faces.images.tolist(), faces.boxes.tolist(), strict=True)]
    none: Sequence[float | None] = (None,) * len(BOX)
    rows += [[i, *none] for i in sorted(set(range(len(ids))) - set(faces.images.tolist()))]
    rows.sort(key=lambda row: row[0])  # stable: the order of an image's faces stays
    cells = [(ids[row[0]], *row[1:]) for row in rows]
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic(file) as unfinished:
        if file.suffix.lower() == ".csv":
            with unfinished.open("w", encoding="utf-8", newline="") as text:
                csv.writer(text).writerows([("id", *BOX), *cells])
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = [pa.string(), *[pa.float64()] * len(BOX)]
        columns = list(zip(*cells, strict=True)) or [()] * len(kinds)
        arrays = [pa.array(c, kind) for c, kind in zip(columns, kinds, strict=True)]
        pq.write_table(pa.table(arrays, ["id", *BOX]), unfinished)


def check_suffix(file: Path) -> None:
    """Raise `InputError` for a file that is neither CSV nor Parquet by its suffix."""
    if file.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(f"{file}: name a table of faces .csv or .parquet, as faces.csv")


def _number(file: Path, place: str, column: str, value: Any) -> float:
    """Return a number; NaN where there is none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan
    try:
        if isinstance(value, (bool, bytes)):
            raise ValueError
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{file}, {place}: {column} is {value!r}: give a number") from None
    if math.isinf(number):
        raise InputError(f"{file}, {place}: {column} is {value!r}: give a finite number of pixels")
    return number
