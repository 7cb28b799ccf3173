"""Columns to slice the images by: of the rows, of the ids, and of a table of the user."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from salix.analysis.frame import Frame
from salix.analysis.subset_split import subset_names
from salix.data.source import group_name
from salix.data.table_files import read_cells
from salix.typing import InputError

# Text and whole numbers that are no property of the image
RESERVED = ("index", "id", "skipped", "label", "predicted", "target", "region_count")


def image_columns(frame: Frame) -> dict[str, np.ndarray]:
    """Return label, group, subset and each other column of text or whole numbers, [images].

    Missing texts are "". The subset of an image is the first part of its id.
    """
    columns: dict[str, np.ndarray] = {}
    if (frame.labels >= 0).any():
        columns["label"] = np.array([frame.class_name(i) for i in frame.labels.tolist()], object)
    if any(subsets := subset_names(frame.ids)):
        columns["subset"] = np.array(subsets, object)
    names = [
        n
        for n, c in frame.run.columns.items()
        if n not in RESERVED and not c.shape and c.dtype.startswith(("string", "int", "uint"))
    ]
    for name, values in (frame.run.read(names) if names else {}).items():
        is_text = values.dtype == object
        columns[name] = np.array([v or "" for v in values], object) if is_text else values
    return columns


def table_columns(file: Path, ids: np.ndarray) -> Mapping[str, np.ndarray]:
    """Return the columns of a user's table in the order of `ids`, as text, "" where missing.

    Raises `InputError` for a table without the column `id` or `path`, with an image twice, or
    without any of the images.
    """
    cells = read_cells(file)
    header = [str(name).strip() for name in cells.header]
    key = next((k for k, n in enumerate(header) if n.casefold() in ("id", "path")), None)
    if key is None:
        raise InputError(
            f"{file} has columns {', '.join(header)}: name the one with the images' ids `id`"
        )
    rows: dict[str, tuple] = {}
    for number, values in cells.rows:
        id = str(values[key]).strip().replace("\\", "/").removeprefix("./")
        if id in rows:
            raise InputError(f"{file}, {cells.unit} {number}: {id!r} is repeated: list it once")
        rows[id] = tuple(values)
    known = np.array([id in rows for id in ids.tolist()])
    if not known.any():
        example = next(iter(rows), "")
        raise InputError(
            f"{file} has none of the {len(ids)} images: its {header[key]} {example!r} must be an "
            f"id of the run, such as {ids[0]!r}"
        )
    empty = (None,) * len(header)
    return {
        name: np.array([group_name(rows.get(id, empty)[k]) or "" for id in ids.tolist()], object)
        for k, name in enumerate(header)
        if k != key
    }
