"""Source of the images that a table lists: CSV, TSV, Parquet or JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from salix.data.content import files_identity
from salix.data.decode import Unreadable, decode
from salix.data.image_paths import path_of
from salix.data.reference_masks import read_reference_mask
from salix.data.table_files import read_cells
from salix.data.table_header import COLUMNS
from salix.data.table_rows import TableRows, read_rows
from salix.data.text_buffer import Texts
from salix.data.texts import Mapped
from salix.data.url import Url, lexists, place_of, resolve
from salix.typing import InputError


@dataclass(frozen=True)
class Table:
    """Source of the images in a table with the columns `path`, `label`, `map` and `group`.

    All but `path` are optional; other columns are ignored, but names that resemble these are
    refused. The file is CSV (comma, semicolon or tab; UTF-8, UTF-16 or Windows-1252), TSV, Parquet,
    JSON lines, or JSON with a list of objects. Paths are absolute or relative to the file's own
    folder, or addresses such as `https://…`; they are the ids, in sorted order, with forward
    slashes, without `.` parts and credentials, and relative where they lie below the folder. The
    table itself may be remote. `label` is the name of a class or its index. `map` is the path
    of the image's reference mask, a grey image of any size, or empty. `group` names images that are
    not independent: frames of a video, crops of an identity. Raises `InputError` for a missing
    column, a repeated path, a file without rows, or a mask that is not a file or whose image is
    not.
    """

    file: Path | Url
    ids: Sequence[str] = field(init=False, repr=False, compare=False)
    labels: Sequence[str | int | None] = field(init=False, repr=False, compare=False)
    groups: Sequence[str | None] = field(init=False, repr=False, compare=False)
    mask_paths: Sequence[str | None] | None = field(init=False, repr=False, compare=False)
    links: Mapping[int, Url] = field(init=False, repr=False, compare=False)  # not as their ids

    def __post_init__(self):
        file = place_of(self.file)
        object.__setattr__(self, "file", file)
        rows = read_rows(file, read_cells(file, binary=COLUMNS))
        if rows.maps is not None:
            _check_masks(file, rows, rows.maps)
        masks = None if rows.maps is None else Mapped(_or_none, rows.maps)
        object.__setattr__(self, "ids", rows.ids)
        object.__setattr__(self, "labels", rows.labels)
        object.__setattr__(self, "groups", rows.groups)
        object.__setattr__(self, "mask_paths", masks)
        object.__setattr__(self, "links", rows.links)

    def read(self, index: int) -> Any:
        """Decode one file; raises `Unreadable`."""
        path = self._image(index)
        if not lexists(path):
            raise Unreadable("No such file or directory, relative to the folder of the table")
        return decode(path)

    @property
    def has_reference_masks(self) -> bool:
        """Whether any image has a reference mask."""
        return self.mask_paths is not None

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Decode the reference mask of one image, None if it has none; raises `Unreadable`."""
        path = None if self.mask_paths is None else self.mask_paths[index]
        return None if path is None else read_reference_mask(self._path(path))

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Digests of the content of images and reference masks."""
        files = map(self._image, range(len(self.ids)))
        masks = self.mask_paths
        mask_files = (
            None if masks is None else (None if m is None else self._path(m) for m in masks)
        )
        return files_identity(files, mask_files, full=full)

    def _image(self, index: int) -> Path | Url:
        return self.links.get(index) or self._path(path_of(self.ids[index]))

    def _path(self, path: str) -> Path | Url:
        return resolve(self.file.parent, path)


def _or_none(text: str) -> str | None:
    return text or None


def _check_masks(file: Path | Url, rows: TableRows, maps: Texts) -> None:
    """Raise `InputError` for reference masks that are not files, or whose images are not."""
    paths = Mapped(path_of, rows.ids)
    for what, column in (("map", maps), ("image of a map", paths)):
        missing = [
            i
            for i, (map, path) in enumerate(zip(maps, column, strict=True))
            if map and not _is_file(resolve(file.parent, path))
        ]
        if missing:
            first = min(missing, key=lambda i: rows.numbers[i])
            raise InputError(
                f"{file}, {rows.place(first)}: the {what}, {column[first]!r}, is not a file "
                f"(one of {len(missing)}): give paths relative to {file.parent}, or no map"
            )


def _is_file(place: Path | Url) -> bool:
    """Whether a path is a file; a remote one is known only once it is read."""
    return isinstance(place, Url) or place.is_file()
