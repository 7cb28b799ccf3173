"""Sources that the command line names: folders, images, tables and data sets, each with a name."""

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from salix.data.assets import fetch
from salix.data.datasets import TFDS, open_dataset
from salix.data.files import Folder
from salix.data.grouped import Grouped
from salix.data.image_paths import SUFFIXES, hint, id_of, suffix_of
from salix.data.listing import has_signature
from salix.data.notes import note
from salix.data.packed import Packed
from salix.data.packed_layout import is_packed
from salix.data.places import Place, gather, remote_place
from salix.data.record_index import is_record_file
from salix.data.records import Records
from salix.data.shard_paths import expand, is_shard, shards_in
from salix.data.shards import Shards
from salix.data.source import Source
from salix.data.table import Table
from salix.data.table_files import is_table
from salix.data.url import Url, is_url, place_of
from salix.data.views import Joined
from salix.typing import InputError


def open_source(texts: Sequence[str], *, group_by: int | str | None = None) -> Source:
    """Open what the command line names: `DIR`, `IMAGE`, `TABLE` or `CLASS=DIR`, one or several.

    Several may have one class: `real=a real=b`. DIR may be a data set that `salix pack` has
    written. In its place, `asset:NAME` stands for a folder of `salix.data.assets`; a tar file, a
    folder of tar files and a pattern such as `shard-{000000..000012}.tar` stand for `Shards`, those
    of one class together, and so does an ArrayRecord file, `a.array_record` or
    `array_record:FILE`, for `Records`. In that of TABLE, a file as `Table` reads it,
    `tfds:NAME[/CONFIG][:VERSION]:SPLIT` stands for a data set of TensorFlow Datasets:
    `tfds:mnist:test`, `tfds:mnist:3.0.1:train[:100]`; see `salix.data.datasets`. Each may be the
    address of a remote one, `s3://bucket/faces` or `zip://*.jpg::faces.zip`, see `salix.data.url`.
    Ids of several sources begin with the class or the folder's name, followed by as much of its
    path as distinguishes it from others of that name.

    `group_by` is that of `Grouped`: levels count from each data folder, a pattern is searched for
    in the id.
    """
    if not texts:
        raise InputError("no data given: name a folder, an image or a table")
    places = gather([_place(text) for text in texts])
    folders = [folder for p in places if (folder := p.local_folder) is not None]
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


def _place(text: str) -> Place:
    """Read the text of one source."""
    name, equals, place = text.partition("=")
    if not equals or text.startswith(TFDS) or is_url(text) or os.path.lexists(text):
        name, place = None, text
    elif not (name := name.strip()):
        raise InputError(f"{text!r} has no class before its =: write CLASS=DIR")
    if place.startswith(TFDS):
        if name is not None:
            raise InputError(f"{text}: such data have their own labels, leave out {name}=")
        return Place(None, Path(place))
    if isinstance(path := place_of(place), Url):
        return remote_place(name, path)
    kind, _, asset = place.partition(":")
    path = fetch(asset) if kind == "asset" and asset else path.expanduser()
    if is_table(path) and not path.is_dir() and name is not None:
        raise InputError(f"{text}: a table has its own labels, leave out {name}=")
    if kind == "array_record" or (is_record_file(path.name) and not path.is_dir()):
        file = Path(asset).expanduser() if kind == "array_record" else path
        return Place(name, file, shards=tuple(map(Path, expand(str(file)))), has_records=True)
    if is_shard(path.name) and not path.is_dir():
        return Place(name, path, shards=tuple(map(Path, expand(str(path)))))
    if path.is_dir() and kind != "asset":
        return Place(name, path, shards=tuple(map(Path, shards_in(path))))
    if path.is_dir() or is_table(path) or not os.path.lexists(path):
        return Place(name, path)
    suffix = suffix_of(path.name)
    if suffix not in SUFFIXES and not has_signature(path):
        raise InputError(
            f"{path} is neither an image nor a table (.csv, .tsv, .parquet, .jsonl, .json)"
            + (f": {advice}" if (advice := hint(suffix)) else "")
        )
    return Place(name, path.parent, (path,))


def _keys(places: Sequence[Place]) -> list[str]:
    """Return what the ids of each place begin with, where there are several."""
    parts = [place.parts for place in places]
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


def _open(place: Place) -> Source:
    if place.is_dataset:
        return open_dataset(str(place.path))
    if place.has_records:
        return Records(tuple(p for p in place.shards if isinstance(p, Path)), label=place.name)
    if place.shards:
        return Shards(place.shards, label=place.name)
    if isinstance(place.path, Url):
        if is_table(place.path):
            return Table(place.path)
        return Folder(place.path, label=place.name, files=place.files or None)
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
