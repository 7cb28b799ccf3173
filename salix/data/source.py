"""Sources of images: ids and labels, known before any image is read, and the images."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from salix.data.assets import fetch
from salix.data.content import arrays_digest
from salix.data.datasets import TFDS, open_dataset
from salix.data.files import Folder, Table
from salix.typing import InputError


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
    def has_reference_masks(self) -> bool:
        """Whether images come with reference masks."""
        ...

    def read(self, index: int) -> Any:
        """Return one image as Pillow image or 8-bit array; raises `Unreadable`."""
        ...

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Return the reference mask of one image, 8-bit grey [h w], or None."""
        ...

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Return, as JSON, everything beside ids and labels that decides pixels and masks.

        Arrays count by their bytes, files by size and sampled content (all of it if `full`), see
        `salix.data.content`. No folder is named: data that moved are the same data. A file that
        cannot be read counts as "unreadable".
        """
        ...


def id_hash(id: str) -> int:
    """Return 32 bits of the sha256 of an id, for random keys and choices of images."""
    return int.from_bytes(hashlib.sha256(id.encode()).digest()[:4], "big")


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images in memory: 8-bit [n h w], [n h w 1] or [n h w 3], or a sequence of such images.

    Ids are the positions, or `keys`; `names` are the classes. `reference_masks` has one mask [h w]
    or None for each image.
    """

    images: Sequence[np.ndarray] | np.ndarray
    names: Sequence[str | None] | None = None
    keys: Sequence[str] | None = None
    reference_masks: Sequence[np.ndarray | None] | None = None
    ids: Sequence[str] = field(init=False, repr=False)

    def __post_init__(self):
        n = len(self.images)
        if n == 0:
            raise InputError("no image given: the array is empty")
        options = {"names": self.names, "keys": self.keys, "reference masks": self.reference_masks}
        for option, values in options.items():
            if values is not None and len(values) != n:
                raise InputError(f"{len(values)} {option} for {n} images: give one for each")
        if self.keys is not None and len(set(self.keys)) < n:
            raise InputError("keys are repeated: each image needs an id of its own")
        ids = [f"{i:08d}" for i in range(n)] if self.keys is None else list(self.keys)
        object.__setattr__(self, "ids", ids)

    @property
    def has_reference_masks(self) -> bool:
        """Whether any image has a reference mask."""
        return self.reference_masks is not None

    @property
    def labels(self) -> Sequence[str | None]:
        """The names."""
        return self.names or [None] * len(self.images)

    def read(self, index: int) -> Any:
        """Return one image as it is."""
        return np.asarray(self.images[index])

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Return the reference mask of one image."""
        return None if self.reference_masks is None else self.reference_masks[index]

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Digests of the bytes of images and reference masks."""
        del full  # always
        images = {"images": arrays_digest(self.images)}
        if self.reference_masks is None:
            return images
        return images | {"reference_masks": arrays_digest(self.reference_masks)}


@dataclass(frozen=True)
class Joined:
    """Several sources in a row, each with a name that starts its ids."""

    sources: Mapping[str, Source]
    ids: Sequence[str] = field(init=False, repr=False)
    places: Sequence[tuple[Source, int]] = field(init=False, repr=False)

    def __post_init__(self):
        ids = [f"{name}/{i}" for name, source in self.sources.items() for i in source.ids]
        places = [(s, i) for s in self.sources.values() for i in range(len(s.ids))]
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "places", places)

    @property
    def has_reference_masks(self) -> bool:
        """Whether any of the sources has them."""
        return any(s.has_reference_masks for s in self.sources.values())

    @property
    def labels(self) -> Sequence[str | None]:
        """The labels of each source."""
        return [label for s in self.sources.values() for label in s.labels]

    def read(self, index: int) -> Any:
        """Read from the source of the image."""
        source, i = self.places[index]
        return source.read(i)

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Reference mask from the source of the image."""
        source, i = self.places[index]
        return source.reference_mask(i)

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Identity of each source by its name."""
        return {"sources": {n: source.identity(full=full) for n, source in self.sources.items()}}


@dataclass(frozen=True)
class Unlabelled:
    """A source without its labels."""

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
    def has_reference_masks(self) -> bool:
        """As the source."""
        return self.source.has_reference_masks

    def read(self, index: int) -> Any:
        """Read from the source."""
        return self.source.read(index)

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Reference mask from the source."""
        return self.source.reference_mask(index)

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Identity of the source."""
        return self.source.identity(full=full)


def open_source(texts: Sequence[str]) -> Source:
    """Open what the command line names: `DIR`, `FILE.csv` or `CLASS=DIR`, one or several.

    In the place of DIR, `asset:NAME` stands for a folder of `salix.data.assets`. In that of
    FILE.csv, `tfds:NAME[/CONFIG][:VERSION]:SPLIT` stands for a data set of TensorFlow Datasets:
    `tfds:mnist:test`, `tfds:mnist:3.0.1:train[:100]`; see `salix.data.datasets`.
    """
    sources: dict[str, Source] = {}
    for text in texts:
        name, equals, place = text.partition("=")
        if not equals or text.startswith(TFDS) or Path(text).exists():
            name, place = None, text
        key, source = _open(name, place)
        if len(texts) == 1 and name is None:
            return source
        if key in sources:
            raise InputError(f"two sources are called {key!r}: name them apart, NAME=DIR")
        sources[key] = source
    return Joined(sources)


def _open(name: str | None, place: str) -> tuple[str, Source]:
    """Open one source and return what its ids start with where there are several."""
    if place.startswith(TFDS):
        if name is not None:
            raise InputError(f"{name}={place}: such data have their own labels, leave out {name}=")
        return place.removeprefix(TFDS), open_dataset(place)
    kind, _, asset = place.partition(":")
    path = fetch(asset) if kind == "asset" and asset else Path(place)
    if name is not None:
        return name, Folder(path, label=name)
    return path.name, Table(path) if path.suffix.lower() == ".csv" else Folder(path)
