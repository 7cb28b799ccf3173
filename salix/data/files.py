"""Sources of image files: a folder, or a CSV table; reference masks may belong to them."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from salix.data.content import files_identity
from salix.data.decode import decode
from salix.data.image_paths import SUFFIXES, image_files
from salix.data.reference_masks import match_reference_masks, read_reference_mask
from salix.typing import InputError


@dataclass(frozen=True)
class Folder:
    """Source of the images in a folder: its sub-folders are the classes.

    Images beside the sub-folders have no class; with `label`, all images have that one. Ids are
    paths relative to the folder, with forward slashes, sorted by code point. `reference_masks` is a
    folder of grey images of any size, as `match_reference_masks` assigns them; below `root`, it is
    not a class.
    """

    root: Path
    label: str | None = None
    reference_masks: Path | None = None
    ids: Sequence[str] = field(init=False, repr=False, compare=False)
    mask_files: Sequence[Path | None] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        masks = None if self.reference_masks is None else Path(self.reference_masks)
        ids = _ids_below(Path(self.root), masks)
        mask_files = None if masks is None else tuple(match_reference_masks(masks, ids))
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "mask_files", mask_files)

    @property
    def labels(self) -> Sequence[str | None]:
        """First part of each path, or `label`."""
        if self.label is not None:
            return [self.label] * len(self.ids)
        return [i.split("/")[0] if "/" in i else None for i in self.ids]

    @property
    def groups(self) -> Sequence[str | None]:
        """None for each: `Grouped` names them by folders."""
        return [None] * len(self.ids)

    def read(self, index: int) -> Any:
        """Decode one file."""
        return decode(Path(self.root) / self.ids[index])

    @property
    def has_reference_masks(self) -> bool:
        """Whether there is a folder of reference masks."""
        return self.mask_files is not None

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Decode the reference mask of one image, None if it has none; raises `Unreadable`."""
        file = None if self.mask_files is None else self.mask_files[index]
        return None if file is None else read_reference_mask(file)

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Digests of the content of images and reference masks."""
        files = [Path(self.root) / id for id in self.ids]
        return files_identity(files, self.mask_files, full=full)


@dataclass(frozen=True)
class Table:
    """Source of the images in a CSV file with the columns `path`, `label`, `map` and `group`.

    All but `path` are optional. Paths are relative to the file's own folder; they are the ids,
    in sorted order. `map` is the path of the image's reference mask, a grey image of any size, or
    empty. `group` names images that are not independent: frames of a video, crops of an identity.
    Raises `InputError` for a missing column, a repeated path, a file without rows, or a mask
    that is not a file or whose image is not.
    """

    file: Path
    ids: Sequence[str] = field(init=False, repr=False, compare=False)
    labels: Sequence[str | None] = field(init=False, repr=False, compare=False)
    groups: Sequence[str | None] = field(init=False, repr=False, compare=False)
    mask_paths: Sequence[str | None] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        file = Path(self.file)
        rows = _read_rows(file)
        _check_masks(file, rows)
        masks = tuple(row.map for row in rows)
        object.__setattr__(self, "ids", tuple(row.path for row in rows))
        object.__setattr__(self, "labels", tuple(row.label for row in rows))
        object.__setattr__(self, "groups", tuple(row.group for row in rows))
        object.__setattr__(self, "mask_paths", masks if any(masks) else None)

    def read(self, index: int) -> Any:
        """Decode one file."""
        return decode(Path(self.file).parent / self.ids[index])

    @property
    def has_reference_masks(self) -> bool:
        """Whether any image has a reference mask."""
        return self.mask_paths is not None

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Decode the reference mask of one image, None if it has none; raises `Unreadable`."""
        path = None if self.mask_paths is None else self.mask_paths[index]
        return None if path is None else read_reference_mask(Path(self.file).parent / path)

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Digests of the content of images and reference masks."""
        folder, masks = Path(self.file).parent, self.mask_paths
        files = [folder / id for id in self.ids]
        mask_files = None if masks is None else [None if m is None else folder / m for m in masks]
        return files_identity(files, mask_files, full=full)


def _ids_below(root: Path, masks: Path | None) -> tuple[str, ...]:
    """Return the paths of the images below `root`, those of the reference masks left out."""
    if not root.is_dir():
        raise InputError(f"{root} is not a folder: give a folder of images or a CSV file")
    files = image_files(root)
    if masks is not None and masks.resolve().is_relative_to(root.resolve()):
        files = [p for p in files if not p.resolve().is_relative_to(masks.resolve())]
    if not files:
        raise InputError(f"{root} contains no image (of {', '.join(SUFFIXES)}): check the path")
    return tuple(sorted(p.relative_to(root).as_posix() for p in files))


class _CSVRow(NamedTuple):
    path: str
    label: str | None
    map: str | None
    group: str | None
    line: int  # in the file, from 1; the header is the first


def _read_rows(file: Path) -> list[_CSVRow]:
    """Return the rows of a CSV file, sorted by path."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.DictReader(text, restkey="")
            columns, rows = reader.fieldnames or (), []
            for row in reader:
                if "" not in columns and any(row.get("", ())):
                    raise InputError(
                        f"{file}, line {reader.line_num} has more fields than columns: put a path "
                        "with a comma in quotes"
                    )
                label, map, group = (row.get(c) or None for c in ("label", "map", "group"))
                rows.append(_CSVRow(row.get("path") or "", label, map, group, reader.line_num))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} cannot be read as CSV: {error}") from None
    if "path" not in columns:
        raise InputError(
            f"{file} has columns {', '.join(columns)}: expected path, label, map, group"
        )
    if not rows:
        raise InputError(f"{file} has no row below its header: list images, path and label")
    paths = {""}
    for path, *_, line in rows:
        if path in paths:
            raise InputError(
                f"{file}, line {line}: path {path!r} is empty or repeated: list each image once"
            )
        paths.add(path)
    return sorted(rows, key=lambda row: row.path)


def _check_masks(file: Path, rows: Sequence[_CSVRow]) -> None:
    """Raise `InputError` for reference masks that are not files, or whose images are not."""
    with_mask = [row for row in rows if row.map]
    for what, column in (("map", "map"), ("image of a map", "path")):
        missing = [row for row in with_mask if not (file.parent / getattr(row, column)).is_file()]
        if missing:
            first = min(missing, key=lambda row: row.line)
            raise InputError(
                f"{file}, line {first.line}: the {what}, {getattr(first, column)!r}, is not a file "
                f"(one of {len(missing)}): give paths relative to {file.parent}, or no map"
            )
