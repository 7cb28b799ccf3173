"""Numbers of a user's own table as properties, such as boxes of faces."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from salix.audit.properties import Property
from salix.compare.metadata import table_columns
from salix.data.notes import note
from salix.typing import InputError

# Names of the edges of a box, without case: left, top, and then right and bottom, or the size
EDGES = (("left", "top", "right", "bottom"), ("x1", "y1", "x2", "y2"))
SIZES = (("x", "y", "w", "h"), ("x", "y", "width", "height"))
IGNORED = {"label", "class", "target", "group", "split", "map", "mask"}


def own_columns(
    file: Path, ids: Sequence[str], sizes: np.ndarray
) -> list[tuple[Property, np.ndarray]]:
    """Return the columns of numbers of a table, by the id or path of the images, as properties.

    Of a box (left, top, right, bottom; x1, y1, x2, y2; x, y, w, h; x, y, width, height; in pixels)
    width, height and share of the image, whose width and height are `sizes[image]`. Raises
    `InputError` for a table without a number.
    """
    texts = table_columns(file, np.array(ids, object))
    numbers = {name.strip().casefold(): _numbers(column) for name, column in texts.items()}
    numbers = {n: v for n, v in numbers.items() if np.isfinite(v).any() and n not in IGNORED}
    if not numbers:
        raise InputError(f"{file} has no column of numbers: give some, such as left, top, right")
    columns = _box(numbers, sizes)
    used = {name for names in (*EDGES, *SIZES) if set(names) <= set(numbers) for name in names}
    for name, values in numbers.items():
        if name not in used:
            columns.append((Property(f"table_{name}", name, "table"), values))
    missing = int((~np.isfinite(np.stack([v for _, v in columns])).any(0)).sum())
    if missing:
        note(f"{file.name} has no number for {missing} of {len(ids)} images")
    return columns


def _numbers(column: np.ndarray) -> np.ndarray:
    values = np.full(len(column), np.nan)
    for i, text in enumerate(column):
        try:
            values[i] = float(text) if text else np.nan
        except ValueError:
            return np.full(len(column), np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _box(numbers: Mapping[str, np.ndarray], sizes: np.ndarray) -> list[tuple[Property, np.ndarray]]:
    for names in EDGES:
        if set(names) <= set(numbers):
            left, top, right, bottom = (numbers[n] for n in names)
            return _box_columns(right - left, bottom - top, sizes)
    for names in SIZES:
        if set(names) <= set(numbers):
            return _box_columns(numbers[names[2]], numbers[names[3]], sizes)
    return []


def _box_columns(
    width: np.ndarray, height: np.ndarray, sizes: np.ndarray
) -> list[tuple[Property, np.ndarray]]:
    share = width * height / np.maximum(sizes[:, 0] * sizes[:, 1], 1)
    return [
        (Property("box_width", "Box width", "face", "pixels"), width),
        (Property("box_height", "Box height", "face", "pixels"), height),
        (Property("box_share", "Box", "face", "share of the image"), share),
    ]
