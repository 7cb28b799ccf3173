"""Sources of image files: a folder, or a CSV file that lists them; maps may come with them."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from salix.data.decode import Unreadable, decode
from salix.typing import InputError

KINDS = ("avif", "bmp", "gif", "jp2", "jpeg", "jpg", "pgm", "png", "ppm", "tif", "tiff", "webp")


@dataclass(frozen=True)
class Folder:
    """A folder of images: its sub-folders are the classes; images beside them have none.

    With `label`, all images below are of that class. Ids are paths relative to the folder, with
    forward slashes, in the order of their characters' codes. `reference_masks` is a folder of reference
    maps, grey images of any size, as `match_reference_masks` finds them; below `root`, it is no class.
    """

    root: Path
    label: str | None = None
    reference_masks: Path | None = None
    ids: Sequence[str] = field(init=False, repr=False, compare=False)
    maps: Sequence[Path | None] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        root, reference_masks = (
            Path(self.root),
            None if self.reference_masks is None else Path(self.reference_masks),
        )
        ids = _images_below(root, reference_masks)
        object.__setattr__(self, "ids", ids)
        object.__setattr__(
            self,
            "maps",
            None if reference_masks is None else match_reference_masks(reference_masks, ids),
        )

    @property
    def labels(self) -> Sequence[str | None]:
        """First part of each path, or `label`."""
        if self.label is not None:
            return [self.label] * len(self.ids)
        return [i.split("/")[0] if "/" in i else None for i in self.ids]

    def read(self, index: int) -> Any:
        """Decode one file."""
        return decode(Path(self.root) / self.ids[index])

    @property
    def has_reference_masks(self) -> bool:
        """Whether there is a folder of reference maps."""
        return self.maps is not None

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Decode the reference map of one image, None if it has none; raises `Unreadable`."""
        file = None if self.maps is None else self.maps[index]
        return None if file is None else read_reference_mask(file)


@dataclass(frozen=True)
class Table:
    """A CSV file with the columns `path` and, if known, `label` and `map`.

    Paths are relative to the file's own folder; they are the ids, in sorted order. A `map` is the
    path of a grey image, the reference map of the image, of any size; empty, there is none. Raises
    `InputError` for a missing column, a repeated path, no row, or a map that is not a file or
    whose image is not.
    """

    file: Path
    ids: Sequence[str] = field(init=False, repr=False, compare=False)
    labels: Sequence[str | None] = field(init=False, repr=False, compare=False)
    maps: Sequence[str | None] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        file = Path(self.file)
        rows = _rows_of(file)
        _check_maps(file, rows)
        maps = [row.map for row in rows]
        object.__setattr__(self, "ids", [row.path for row in rows])
        object.__setattr__(self, "labels", [row.label for row in rows])
        object.__setattr__(self, "maps", maps if any(maps) else None)

    def read(self, index: int) -> Any:
        """Decode one file."""
        return decode(Path(self.file).parent / self.ids[index])

    @property
    def has_reference_masks(self) -> bool:
        """Whether any image has a map."""
        return self.maps is not None

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Decode the map of one image, None if it has none; raises `Unreadable`."""
        path = None if self.maps is None else self.maps[index]
        return None if path is None else read_reference_mask(Path(self.file).parent / path)


def read_reference_mask(file: Path) -> np.ndarray:
    """Decode a reference map, 8-bit grey [h w]; raises `Unreadable`, naming the file."""
    try:
        return np.asarray(decode(file).convert("L"))
    except (Unreadable, OSError) as error:
        raise Unreadable(f"its reference mask {file}: {error}") from None


def match_reference_masks(root: Path, ids: Sequence[str]) -> list[Path | None]:
    """Return the reference mask of each image, None where it has none: the image below `root` of its id.

    Suffixes may differ: `fake/a.jpg` is guided by `fake/a.png`, unless that is an image's own id.
    Raises `InputError` for a folder without reference masks, and for a reference mask that has no image, or shares
    one with another reference mask, or has several.
    """
    names = {p.relative_to(root).as_posix(): p for p in _files_below(root)}
    if not names:
        raise InputError(
            f"{root} holds no reference mask: give a folder of images named as the data's"
        )
    same = {id: names.pop(id) for id in ids if id in names}
    counts = Counter(_stem(id) for id in ids if id not in same)
    others: dict[str, Path] = {}
    for name, path in sorted(names.items()):
        if (stem := _stem(name)) in others:
            raise InputError(
                f"{others[stem]} and {path} reference mask one image: keep one of them"
            )
        if counts[stem] > 1:
            raise InputError(
                f"{path} reference masks {counts[stem]} images: give it the suffix of one"
            )
        others[stem] = path
    if alone := sorted(others.keys() - counts.keys()):
        raise InputError(
            f"{len(alone)} reference masks in {root} have no image, {alone[0]} first: name them by the "
            f"ids of their images, for example {_stem(ids[0])}.png"
        )
    return [same.get(id) or others.get(_stem(id)) for id in ids]


def _stem(id: str) -> str:
    """Return the id without the suffix of an image: other dots are part of a name."""
    path = PurePosixPath(id)
    return path.with_suffix("").as_posix() if path.suffix.lower()[1:] in KINDS else id


def _files_below(root: Path) -> list[Path]:
    return [p for p in root.rglob("*") if p.suffix.lower()[1:] in KINDS and p.is_file()]


def _images_below(root: Path, reference_masks: Path | None) -> list[str]:
    if not root.is_dir():
        raise InputError(f"{root} is not a folder: give a folder of images or a CSV file")
    found = _files_below(root)
    if reference_masks is not None and reference_masks.resolve().is_relative_to(root.resolve()):
        found = [p for p in found if not p.resolve().is_relative_to(reference_masks.resolve())]
    ids = sorted(p.relative_to(root).as_posix() for p in found)
    if not ids:
        raise InputError(f"{root} holds no image (of {', '.join(KINDS)}): check the path")
    return ids


class _Row(NamedTuple):
    path: str
    label: str | None
    map: str | None
    line: int  # in the file, from 1; the header is the first


def _rows_of(file: Path) -> list[_Row]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.DictReader(text, restkey="")
            names, rows = reader.fieldnames or (), []
            for row in reader:
                if "" not in names and any(row.get("", ())):
                    raise InputError(
                        f"{file}, line {reader.line_num} has more fields than columns: put a path "
                        "that holds a comma in quotes"
                    )
                label, map = row.get("label") or None, row.get("map") or None
                rows.append(_Row(row.get("path") or "", label, map, reader.line_num))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} cannot be read as CSV: {error}") from None
    if "path" not in names:
        raise InputError(f"{file} has columns {', '.join(names)}: expected path, label, map")
    if not rows:
        raise InputError(f"{file} has no row below its header: list images, path and label")
    seen = {""}
    for path, _, _, line in rows:
        if path in seen:
            raise InputError(
                f"{file}, line {line}: path {path!r} is empty or repeated: list each image once"
            )
        seen.add(path)
    return sorted(rows, key=lambda row: row.path)


def _check_maps(file: Path, rows: Sequence[_Row]) -> None:
    """Raise `InputError` for maps that are not files, or whose images are not."""
    mapped = [row for row in rows if row.map]
    for what, of in (("map", "map"), ("image of a map", "path")):
        lost = [row for row in mapped if not (file.parent / getattr(row, of)).is_file()]
        if lost:
            first = min(lost, key=lambda row: row.line)
            raise InputError(
                f"{file}, line {first.line}: the {what}, {getattr(first, of)!r}, is not a file "
                f"(one of {len(lost)}): give paths relative to {file.parent}, or no map"
            )
