"""Sources that the command line names: folders, images, tables and data sets, each with a name."""

import itertools
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from salix.data.assets import fetch
from salix.data.datasets import TFDS, open_dataset
from salix.data.files import Folder
from salix.data.grouped import Grouped
from salix.data.image_paths import SUFFIXES, hint, id_of, suffix_of
from salix.data.listing import has_signature
from salix.data.notes import note
from salix.data.packed import Packed
from salix.data.packed_layout import is_packed
from salix.data.shard_paths import expand, is_shard, shards_in
from salix.data.shards import Shards
from salix.data.source import Source
from salix.data.table import Table
from salix.data.table_files import is_table
from salix.data.views import Joined
from salix.typing import InputError


class _Place(NamedTuple):
    name: str | None  # of the class
    path: Path  # of a folder, or a file; the text of a data set
    images: tuple[Path, ...] = ()  # files below the folder, rather than all
    shards: tuple[Path, ...] = ()  # tar files at or below the path

    @property
    def is_dataset(self) -> bool:
        return str(self.path).startswith(TFDS)


def open_source(texts: Sequence[str], *, group_by: int | str | None = None) -> Source:
    """Open what the command line names: `DIR`, `IMAGE`, `TABLE` or `CLASS=DIR`, one or several.

    Several may have one class: `real=a real=b`. DIR may be a data set that `salix pack` has
    written. In its place, `asset:NAME` stands for a folder of `salix.data.assets`; a tar file, a
    folder of tar files and a pattern such as `shard-{000000..000012}.tar` stand for `Shards`, those
    of one class together. In that of TABLE, a file as `Table` reads it,
    `tfds:NAME[/CONFIG][:VERSION]:SPLIT` stands for a data set of TensorFlow Datasets:
    `tfds:mnist:test`, `tfds:mnist:3.0.1:train[:100]`; see `salix.data.datasets`. Ids of several
    sources begin with the class or the folder's name, followed by as much of its path as
    distinguishes it from others of that name.

    `group_by` is that of `Grouped`: levels count from each data folder, a pattern is searched for
    in the id.
    """
    if not texts:
        raise InputError("no data given: name a folder, an image or a table")
    places = _gather_shards(_gather_images([_place(text) for text in texts]))
    folders = [
        os.path.realpath(p.path) for p in places if not (p.is_dataset or p.images or p.shards)
    ]
    for inner, outer in itertools.permutations(folders, 2):
        if Path(inner).is_relative_to(outer) and inner != outer:
            note(f"{inner} lies in {outer}: its images are in the data twice")
    sources = dict(zip(_keys(places), map(_open, places), strict=True))
    level = group_by if isinstance(group_by, int) else None
    alone = len(sources) == 1 and places[0].name is None
    if level is not None:
        prefixes = {key: "" if alone else f"{key}/" for key in sources}
        sources = {k: Grouped(s, level, prefix=prefixes[k]) for k, s in sources.items()}
    source = next(iter(sources.values())) if alone else Joined(sources)
    return Grouped(source, group_by) if isinstance(group_by, str) else source


def _place(text: str) -> _Place:
    """Read the text of one source."""
    name, equals, place = text.partition("=")
    if not equals or text.startswith(TFDS) or os.path.lexists(text):
        name, place = None, text
    elif not (name := name.strip()):
        raise InputError(f"{text!r} has no class before its =: write CLASS=DIR")
    if place.startswith(TFDS):
        if name is not None:
            raise InputError(f"{text}: such data have their own labels, leave out {name}=")
        return _Place(None, Path(place))
    kind, _, asset = place.partition(":")
    path = fetch(asset) if kind == "asset" and asset else Path(place).expanduser()
    if is_table(path) and not path.is_dir() and name is not None:
        raise InputError(f"{text}: a table has its own labels, leave out {name}=")
    if is_shard(path.name) and not path.is_dir():
        return _Place(name, path, shards=tuple(map(Path, expand(str(path)))))
    if path.is_dir() and kind != "asset":
        return _Place(name, path, shards=tuple(map(Path, shards_in(path))))
    if path.is_dir() or is_table(path) or not os.path.lexists(path):
        return _Place(name, path)
    suffix = suffix_of(path.name)
    if suffix not in SUFFIXES and not has_signature(path):
        raise InputError(
            f"{path} is neither an image nor a table (.csv, .tsv, .parquet, .jsonl, .json)"
            + (f": {advice}" if (advice := hint(suffix)) else "")
        )
    return _Place(name, path.parent, (path,))


def _gather_images(places: Sequence[_Place]) -> list[_Place]:
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
            gathered.append(_Place(place.name, root, tuple(map(Path, absolute))))
    return gathered


def _gather_shards(places: Sequence[_Place]) -> list[_Place]:
    """Gather tar shards of one class into one place, that of the first."""
    shards: dict[str | None, list[Path]] = {}
    for place in places:
        shards.setdefault(place.name, []).extend(place.shards)
    gathered = []
    for place in places:
        if not place.shards:
            gathered.append(place)
        elif files := shards.pop(place.name, []):
            if len({os.path.realpath(f) for f in files}) < len(files):
                raise InputError(f"{place.path}: a shard is given twice: give each once")
            root = place.path
            if len(files) > len(place.shards):
                root = Path(
                    os.path.commonpath([os.path.dirname(os.path.abspath(f)) for f in files])
                )
            gathered.append(_Place(place.name, root, shards=tuple(files)))
    return gathered


def _keys(places: Sequence[_Place]) -> list[str]:
    """Return what the ids of each place begin with, where there are several."""
    parts = [Path(os.path.abspath(p.path)).parts for p in places]
    bases = [
        str(p.path).removeprefix(TFDS) if p.is_dataset else p.name or parts[i][-1]
        for i, p in enumerate(places)
    ]
    keys = []
    for i, base in enumerate(bases):
        others = [j for j, other in enumerate(bases) if other == base and j != i]
        if any(parts[j] == parts[i] for j in others):
            raise InputError(
                f"two sources are called {base!r} and are both of {places[i].path}: give it once"
            )
        depth = 1
        while any(parts[j][-depth:] == parts[i][-depth:] for j in others):
            depth += 1
        tail = "/".join(parts[i][-depth:])
        key = base if not others else f"{base}/{tail}" if places[i].name else tail
        keys.append(id_of(key))
    return keys


def _open(place: _Place) -> Source:
    if place.is_dataset:
        return open_dataset(str(place.path))
    if place.shards:
        return Shards(place.shards, label=place.name)
    if place.images:
        files = tuple(os.path.relpath(f, place.path).replace(os.sep, "/") for f in place.images)
        return Folder(place.path, label=place.name, files=files)
    if is_packed(place.path):
        return Packed(place.path, label=place.name)
    return (
        Table(place.path)
        if is_table(place.path) and not place.path.is_dir()
        else Folder(place.path, label=place.name)
    )
