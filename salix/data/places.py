"""Places of data as `--data` names them: folders, single images, tar shards, local or remote."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from salix.data.datasets import TFDS
from salix.data.filesystems import require
from salix.data.image_paths import SUFFIXES, suffix_of
from salix.data.layouts.opening import LayoutPlace
from salix.data.record_index import is_record_file
from salix.data.remote_listing import list_images, list_shards
from salix.data.shard_paths import expand, is_shard
from salix.data.table_files import is_table
from salix.data.url import Url
from salix.typing import InputError


class Place(NamedTuple):
    """One part of the data: a folder, some files in it, tar shards, a table or a data set."""

    name: str | None  # of the class
    path: Path | Url  # of a folder, or a file; the text of a data set
    images: tuple[Path, ...] = ()  # files below the folder, rather than all
    shards: tuple[Path | Url, ...] = ()  # tar or ArrayRecord files at or below the path
    files: tuple[str, ...] = ()  # files below a remote folder, relative to it, rather than all
    has_records: bool = False  # whether the shards are ArrayRecord files
    layout: LayoutPlace | None = None  # of a data set with labels and groups of its own

    @property
    def is_dataset(self) -> bool:
        """Whether the path is the text of a data set of TensorFlow Datasets."""
        return str(self.path).startswith(TFDS)

    @property
    def local_folder(self) -> str | None:
        """Path of a local folder whose images are all data, with links resolved, or None."""
        if self.is_dataset or self.images or self.shards or isinstance(self.path, Url):
            return None
        if self.layout is not None:
            return None
        return os.path.realpath(self.path)

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts of the absolute path or of the address."""
        if isinstance(self.path, Url):
            return tuple(part for part in str(self.path).replace("::", "/").split("/") if part)
        parts = Path(os.path.abspath(self.path)).parts
        if self.layout is not None:
            return (*parts[:-1], self.layout.name)
        return parts

    @property
    def base(self) -> str:
        """Name of the class or of the data, which begins ids where there are several sources."""
        if self.is_dataset:
            return str(self.path).removeprefix(TFDS)
        return self.name or (self.layout.name if self.layout is not None else self.parts[-1])


def remote_place(name: str | None, url: Url) -> Place:
    """Return what an address names: tables, tar files and images by their suffixes, else a folder.

    Raises `InputError` for what cannot be listed.
    """
    require(url)
    if is_table(url):
        if name is not None:
            raise InputError(f"{url}: a table has its own labels, leave out {name}=")
        return Place(name, url)
    if is_record_file(url.name):
        raise InputError(f"{url}: ArrayRecord files are read from this machine: copy it here")
    if is_shard(url.name):
        return Place(name, url, shards=tuple(map(Url, expand(url.full))))
    if "*" in url.path:
        folder, files = list_images(url)
        return Place(name, folder, files=tuple(files))
    if suffix_of(url.name) in SUFFIXES:
        if url.parent / url.name != url:
            raise InputError(f"{url}: list images whose addresses have a query in a table")
        return Place(name, url.parent, files=(url.name,))
    return Place(name, url, shards=tuple(list_shards(url)))


def gather(places: Sequence[Place]) -> list[Place]:
    """Gather single images and shards of one class, each into one place, that of the first."""
    return _gather_shards(_gather_images(_gather_files(places)))


def _gather_files(places: Sequence[Place]) -> list[Place]:
    """Gather remote images of one class and folder."""
    files: dict[tuple[str | None, Path | Url], list[str]] = {}
    for place in places:
        files.setdefault((place.name, place.path), []).extend(place.files)
    gathered = []
    for place in places:
        if not place.files:
            gathered.append(place)
        elif names := files.pop((place.name, place.path), []):
            gathered.append(Place(place.name, place.path, files=tuple(dict.fromkeys(names))))
    return gathered


def _gather_images(places: Sequence[Place]) -> list[Place]:
    """Gather single images of one class into one place, that of the first."""
    images: dict[str | None, list[Path]] = {}
    for place in places:
        images.setdefault(place.name, []).extend(place.images)
    gathered = []
    for place in places:
        if not place.images:
            gathered.append(place)
        elif files := images.pop(place.name, []):
            absolute = [*map(os.path.abspath, files)]
            if len({*absolute}) < len(absolute):
                first = next(f for f, n in Counter(absolute).items() if n > 1)
                raise InputError(f"{first} is given twice: give each image once")
            root = Path(os.path.commonpath([os.path.dirname(f) for f in absolute]))
            gathered.append(Place(place.name, root, tuple(map(Path, absolute))))
    return gathered


def _gather_shards(places: Sequence[Place]) -> list[Place]:
    """Gather shards of one class and format into one place, that of the first."""
    shards: dict[tuple[str | None, bool], list[Path | Url]] = {}
    for place in places:
        shards.setdefault((place.name, place.has_records), []).extend(place.shards)
    gathered = []
    for place in places:
        if not place.shards:
            gathered.append(place)
        elif files := shards.pop((place.name, place.has_records), []):
            if len({f if isinstance(f, Url) else os.path.realpath(f) for f in files}) < len(files):
                raise InputError(f"{place.path}: a shard is given twice: give each once")
            root = place.path
            if len(files) > len(place.shards):
                root = _common_folder(files)
            gathered.append(place._replace(path=root, shards=tuple(files)))
    return gathered


def _common_folder(files: Sequence[Path | Url]) -> Path | Url:
    """Return the folder that local files share, or that of the first where some are remote."""
    local = [os.path.dirname(os.path.abspath(f)) for f in files if not isinstance(f, Url)]
    return Path(os.path.commonpath(local)) if len(local) == len(files) else files[0].parent
