"""Rows of a table of images as compact columns, sorted by path."""

import os
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salix.data.class_labels import Label, plain_label
from salix.data.image_paths import id_of
from salix.data.source import group_name
from salix.data.table_files import Cells
from salix.data.table_header import match_columns
from salix.data.table_paths import is_plain, plain_path
from salix.data.text_buffer import Texts, TextsBuilder
from salix.data.texts import Categories, CategoriesBuilder
from salix.data.url import Url, is_url, public
from salix.typing import InputError


@dataclass(frozen=True)
class TableRows:
    """Images of a table: `numbers` are those of lines or rows (`unit`), in messages.

    `maps` is "" for an image without a reference mask. `links` are whole addresses of images whose
    ids leave credentials out.
    """

    ids: Texts
    labels: Sequence[Label]
    groups: Sequence[str | None]
    maps: Texts | None
    numbers: np.ndarray
    unit: str
    links: Mapping[int, Url]

    def place(self, row: int) -> str:
        """Return the line or row of an image, for messages."""
        return f"{self.unit} {self.numbers[row]}"


class _Columns:
    """Columns to which the rows of a table are appended."""

    def __init__(self, file: Path | Url, cells: Cells):
        self.file, self.unit = file, cells.unit
        self.positions = match_columns(file, cells.header)
        self.numbers, self.links = array("I"), dict[int, str]()
        self.paths, self.maps = TextsBuilder(), TextsBuilder()
        self.labels, self.groups = CategoriesBuilder(), CategoriesBuilder()
        self.escaped, self.bases = False, ("", "")
        if not isinstance(file, Url):
            self.bases = (os.path.abspath(file.parent), os.path.realpath(file.parent))

    def append(self, number: int, values: Sequence[Any]) -> None:
        """Add a row; raises `InputError`."""
        at = self.positions
        if all(v is None or (isinstance(v, str) and not v.strip()) for v in values):
            return
        try:
            label = plain_label(values[at["label"]]) if "label" in at else None
            group = group_name(values[at["group"]]) if "group" in at else None
        except InputError as error:
            raise InputError(f"{self.file}, {self.unit} {number}: {error}") from None
        label = label.strip() if isinstance(label, str) else label
        path, place = values[at["path"]], f"{self.unit} {number}"
        if not is_plain(self.file, path):
            path = plain_path(self.file, place, "path", path, self.bases) or ""
            if is_url(path) and public(path) != path:
                self.links[len(self.numbers)] = path
                path = public(path)
            self.escaped = self.escaped or id_of(path) != path
        if "map" in at:
            map = plain_path(self.file, place, "map", values[at["map"]], self.bases)
            self.maps.append(map or "")
        self.paths.append(path)
        if "label" in at:
            self.labels.append(label)
        if "group" in at:
            self.groups.append(group)
        self.numbers.append(number)


def read_rows(file: Path | Url, cells: Cells) -> TableRows:
    """Return the rows of a table, sorted by path; raises `InputError`.

    Each takes the bytes of its texts and some 25 more in memory, twice where the table is not
    sorted.
    """
    columns = _Columns(file, cells)
    for number, values in cells.rows:
        columns.append(number, values)
    numbers = np.frombuffer(columns.numbers, np.uint32)
    if not len(numbers):
        raise InputError(f"{file} has no row below its header: list images, path and label")
    paths = columns.paths.build()
    order = paths.order()  # equal ones stay in the order of the file
    paths = paths.take(order)
    maps = columns.maps.build().take(order) if "map" in columns.positions else None
    rows = TableRows(
        Texts(map(id_of, paths)) if columns.escaped else paths,
        _categories(columns.labels, len(numbers)).take(order),
        _categories(columns.groups, len(numbers)).take(order),
        maps if maps is not None and any(maps) else None,
        numbers if order is None else numbers[order],
        cells.unit,
        _sorted_links(columns.links, order),
    )
    _check_unique(file, rows, paths)
    return rows


def _categories(builder: CategoriesBuilder, count: int) -> Categories:
    codes, values = builder.content()
    return Categories.from_codes(codes, values) if values else Categories.constant(None, count)


def _sorted_links(links: dict[int, str], order: np.ndarray | None) -> dict[int, Url]:
    """Return links by the positions of their rows in `order`."""
    rows = list(links)
    if rows and order is not None:
        positions = np.empty(len(order), np.int64)
        positions[order] = np.arange(len(order))
        rows = positions[rows].tolist()
    return {row: Url(link) for row, link in zip(rows, links.values(), strict=True)}


def _check_unique(file: Path | Url, rows: TableRows, paths: Texts) -> None:
    """Raise `InputError` for paths that are empty or repeated, the first one in the file."""
    wrong = [(0, None)] if not paths[0] else []
    wrong += [(i, i - 1) for i in paths.repeats().tolist() if paths[i]]
    if wrong:
        row, other = min(wrong, key=lambda pair: rows.numbers[pair[0]])
        earlier = "" if other is None else f" (it is that of {rows.place(other)})"
        raise InputError(
            f"{file}, {rows.place(row)}: path {paths[row]!r} is empty or repeated{earlier}: list "
            "each image once"
        )
