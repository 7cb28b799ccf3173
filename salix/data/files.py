"""Sources of image files: a folder, or a CSV file that lists them."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from salix.data.decode import decode
from salix.typing import InputError

KINDS = ("avif", "bmp", "gif", "jp2", "jpeg", "jpg", "pgm", "png", "ppm", "tif", "tiff", "webp")


@dataclass(frozen=True)
class Folder:
    """A folder of images: its sub-folders are the classes; images beside them have none.

    With `label`, all images below are of that class. Ids are paths relative to the folder, with
    forward slashes, in the order of their characters' codes.
    """

    root: Path
    label: str | None = None
    ids: Sequence[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        object.__setattr__(self, "ids", _images_below(Path(self.root)))

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
    def guided(self) -> bool:
        """Return False: a folder has no reference maps."""
        return False

    def guide(self, index: int) -> np.ndarray | None:
        """Return None."""
        del index


@dataclass(frozen=True)
class Table:
    """A CSV file with the columns `path` and, if known, `label`.

    Paths are relative to the file's own folder; they are the ids, in sorted order. Raises
    `InputError` for a missing column, a repeated path or no row.
    """

    file: Path
    ids: Sequence[str] = field(init=False, repr=False, compare=False)
    labels: Sequence[str | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        rows = _rows_of(Path(self.file))
        object.__setattr__(self, "ids", [path for path, _ in rows])
        object.__setattr__(self, "labels", [label for _, label in rows])

    def read(self, index: int) -> Any:
        """Decode one file."""
        return decode(Path(self.file).parent / self.ids[index])

    @property
    def guided(self) -> bool:
        """Return False: the table has no reference maps."""
        return False

    def guide(self, index: int) -> np.ndarray | None:
        """Return None."""
        del index


def _images_below(root: Path) -> list[str]:
    if not root.is_dir():
        raise InputError(f"{root} is not a folder: give a folder of images or a CSV file")
    found = (p for p in root.rglob("*") if p.suffix.lower()[1:] in KINDS and p.is_file())
    ids = sorted(p.relative_to(root).as_posix() for p in found)
    if not ids:
        raise InputError(f"{root} holds no image (of {', '.join(KINDS)}): check the path")
    return ids


def _rows_of(file: Path) -> list[tuple[str, str | None]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.DictReader(text)
            rows = [(row.get("path") or "", row.get("label") or None) for row in reader]
            names = reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} cannot be read as CSV: {error}") from None
    if "path" not in names:
        raise InputError(f"{file} has columns {', '.join(names)}: expected path, label")
    if not rows:
        raise InputError(f"{file} has no row below its header: list images, path and label")
    counts = Counter(path for path, _ in rows)
    bad = next((path for path, n in counts.items() if n > 1 or not path), None)
    if bad is not None:
        raise InputError(f"{file}: path {bad!r} is empty or repeated: list each image once")
    return sorted(rows, key=lambda row: row[0])
