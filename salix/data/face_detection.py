"""Faces of all images of a source, detected once and cached by content and detector.

Below `faces` in the cache of Salix, a folder for each data set and detector has a file for each 256
images: a sha256 of the rest, and rows of float64, the position of the image and its box, NaN for an
image that cannot be decoded. Files are renamed into place when they are complete, so that a stopped
detection goes on, and processes may share the folder. Deleting it is safe.
"""

import hashlib
import json
import os
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from jaxtyping import Float

from salix.atomic import atomic
from salix.data.assets import cache
from salix.data.bounds import Unreadable
from salix.data.content import source_identity
from salix.data.face_detector import FaceDetector
from salix.data.face_table import FaceTable
from salix.data.fitted import packings
from salix.data.loaders import Skip, load_ranges
from salix.data.notes import note
from salix.data.source import Source
from salix.progress import Progress
from salix.typing import InputError

VERSION = 1  # of the detector and of the files
CHUNK = 256  # images of a file
COLUMNS = 5


def detect_faces(
    source: Source,
    detector: FaceDetector,
    *,
    workers: int | None = None,
    full_content: bool = False,
    progress: bool = False,
) -> FaceTable:
    """Return the faces of the images of a source, read from the cache where they were detected.

    Images that cannot be read have no face, and are `unreadable` of the table. `workers` are the
    threads that decode and detect, by default one for each core; `full_content` identifies images
    by all of their content, see `salix.sweep`. Raises `InputError` for packed data, whose images
    are no longer those of the files.
    """
    if next(packings(source), None) is not None:
        raise InputError("packed data have lost their images: detect faces before salix pack")
    count = len(source.ids)
    ranges = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    folder = cache() / "faces" / _digest(source, detector, full=full_content)
    parts = {r.start: rows for r in ranges if (rows := _read(folder, r)) is not None}
    missing = [r for r in ranges if r.start not in parts]
    load = partial(_detected, source, detector)
    writable = True
    with Progress("faces", count, show=progress and bool(missing)) as bar:
        bar.skip(count - sum(map(len, missing)))
        for indices, boxes in load_ranges(load, missing, workers=workers or os.cpu_count() or 1):
            rows = [_rows(i, b) for i, b in zip(indices, boxes, strict=True)]
            parts[indices.start] = np.concatenate(rows)
            if writable and not any(isinstance(b, Skip) for b in boxes):
                writable = _store(folder, indices, parts[indices.start])
            bar.advance(len(indices))
    empty = np.zeros((0, COLUMNS))
    every = np.concatenate([empty, *(parts[r.start] for r in ranges)])
    images, undecoded = every[:, 0].astype(np.int64), np.isnan(every[:, 1])
    boxes = every[~undecoded, 1:]
    return FaceTable(
        images[~undecoded],
        boxes,
        np.full((len(boxes), 5, 2), np.nan),
        ("the detector",) * len(boxes),
        detector,
        tuple(images[undecoded].tolist()),
    )


def _detected(source: Source, detector: FaceDetector, index: int) -> np.ndarray | None:
    """Return the boxes of one image, None where it cannot be decoded."""
    try:
        return detector(source.read(index))
    except Unreadable:
        return None


def _rows(index: int, boxes: np.ndarray | Skip | None) -> Float[np.ndarray, "n 5"]:
    values = boxes if isinstance(boxes, np.ndarray) else np.full((1, 4), np.nan)
    return np.column_stack([np.full(len(values), index, np.float64), values])


def _digest(source: Source, detector: FaceDetector, *, full: bool) -> str:
    """Return a sha256 of everything that decides the faces."""
    identity = json.dumps(source_identity(source, full=full), sort_keys=True)
    settings = f"{VERSION} {version('scikit-image')} {detector!r} {len(source.ids)}\n"
    return hashlib.sha256((settings + identity).encode()).hexdigest()


def _file(folder: Path, indices: range) -> Path:
    return folder / f"{indices.start:09d}"


def _read(folder: Path, indices: range) -> np.ndarray | None:
    """Return the rows of a file, None where it is missing or damaged."""
    try:
        content = _file(folder, indices).read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content[32:]).digest() != content[:32]:
        return None
    return np.frombuffer(content[32:], "<f8").astype(np.float64).reshape(-1, COLUMNS)


def _store(folder: Path, indices: range, rows: np.ndarray) -> bool:
    """Write a file; False, with a note, where the folder cannot be written."""
    body = rows.astype("<f8").tobytes()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic(_file(folder, indices)) as unfinished:
            unfinished.write_bytes(hashlib.sha256(body).digest() + body)
    except OSError as error:
        note(
            f"faces are not cached in {folder.parent} ({error.strerror}): they are detected again "
            "for each command; set SALIX_CACHE to another folder"
        )
        return False
    return True
