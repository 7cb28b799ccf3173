"""Where images come from: each source knows its ids and labels before it reads a pixel."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from salix.data.assets import fetch
from salix.data.decode import decode
from salix.typing import InputError

KINDS = ("avif", "bmp", "gif", "jp2", "jpeg", "jpg", "pgm", "png", "ppm", "tif", "tiff", "webp")


@runtime_checkable
class Source(Protocol):
    """Images in a fixed order, each with a stable id and, where known, the name of its class."""

    @property
    def ids(self) -> Sequence[str]:
        """Stable ids, unique, in the order of the images."""
        ...

    @property
    def labels(self) -> Sequence[str | None]:
        """Name of each image's class, None where unknown."""
        ...

    @property
    def guided(self) -> bool:
        """Whether images come with reference maps."""
        ...

    def read(self, index: int) -> Any:
        """Return one image as Pillow image or 8-bit array; raises `Unreadable`."""
        ...

    def guide(self, index: int) -> np.ndarray | None:
        """Return the reference map of one image, 8-bit grey [h w], or None."""
        ...


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


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images in memory: 8-bit [n h w], [n h w 1] or [n h w 3], or a sequence of such images.

    Ids are the positions unless given; `guides` holds a reference map [h w] or None for each.
    """

    images: Sequence[np.ndarray] | np.ndarray
    names: Sequence[str | None] | None = None
    keys: Sequence[str] | None = None
    guides: Sequence[np.ndarray | None] | None = None
    ids: Sequence[str] = field(init=False, repr=False)

    def __post_init__(self):
        n = len(self.images)
        if n == 0:
            raise InputError("no image given: the array is empty")
        given = {"names": self.names, "keys": self.keys, "guides": self.guides}
        for what, values in given.items():
            if values is not None and len(values) != n:
                raise InputError(f"{len(values)} {what} for {n} images: give one for each")
        if self.keys is not None and len(set(self.keys)) < n:
            raise InputError("keys are repeated: each image needs an id of its own")
        ids = [f"{i:08d}" for i in range(n)] if self.keys is None else list(self.keys)
        object.__setattr__(self, "ids", ids)

    @property
    def guided(self) -> bool:
        """Whether any image has a guide."""
        return self.guides is not None

    @property
    def labels(self) -> Sequence[str | None]:
        """The names."""
        return self.names or [None] * len(self.images)

    def read(self, index: int) -> Any:
        """Return one image as it is."""
        return np.asarray(self.images[index])

    def guide(self, index: int) -> np.ndarray | None:
        """Return its reference map."""
        return None if self.guides is None else self.guides[index]


@dataclass(frozen=True)
class Joined:
    """Several sources one after another, each under the name that starts its ids."""

    sources: Mapping[str, Source]
    ids: Sequence[str] = field(init=False, repr=False)
    places: Sequence[tuple[Source, int]] = field(init=False, repr=False)

    def __post_init__(self):
        ids = [f"{name}/{i}" for name, source in self.sources.items() for i in source.ids]
        places = [(s, i) for s in self.sources.values() for i in range(len(s.ids))]
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "places", places)

    @property
    def guided(self) -> bool:
        """Whether any of the sources is."""
        return any(s.guided for s in self.sources.values())

    @property
    def labels(self) -> Sequence[str | None]:
        """The labels of each source."""
        return [label for s in self.sources.values() for label in s.labels]

    def read(self, index: int) -> Any:
        """Read from the source that holds the image."""
        source, i = self.places[index]
        return source.read(i)

    def guide(self, index: int) -> np.ndarray | None:
        """Guide from the source that holds the image."""
        source, i = self.places[index]
        return source.guide(i)


@dataclass(frozen=True)
class Unlabelled:
    """A source whose labels are not to be used."""

    source: Source

    @property
    def ids(self) -> Sequence[str]:
        """Ids of the source."""
        return self.source.ids

    @property
    def labels(self) -> Sequence[str | None]:
        """None for each."""
        return [None] * len(self.source.ids)

    @property
    def guided(self) -> bool:
        """As the source."""
        return self.source.guided

    def read(self, index: int) -> Any:
        """Read from the source."""
        return self.source.read(index)

    def guide(self, index: int) -> np.ndarray | None:
        """Guide from the source."""
        return self.source.guide(index)


def open_source(texts: Sequence[str]) -> Source:
    """Open what the command line names: `DIR`, `FILE.csv` or `CLASS=DIR`, one or several.

    In the place of DIR, `asset:NAME` stands for a folder of `salix.data.assets`.
    """
    if len(texts) == 1 and not _named(texts[0])[0]:
        return _open(texts[0])
    sources: dict[str, Source] = {}
    for text in texts:
        name, place = _named(text)
        source = Folder(_path(place), label=name) if name else _open(place)
        key = name or _path(place).name
        if key in sources:
            raise InputError(f"two sources are called {key!r}: name them apart, NAME=DIR")
        sources[key] = source
    return Joined(sources)


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


def _open(place: str) -> Source:
    path = _path(place)
    return Table(path) if path.suffix.lower() == ".csv" else Folder(path)


def _path(place: str) -> Path:
    kind, _, name = place.partition(":")
    return fetch(name) if kind == "asset" and name else Path(place)


def _named(text: str) -> tuple[str | None, str]:
    name, equals, place = text.partition("=")
    return (name, place) if equals and not Path(text).exists() else (None, text)
