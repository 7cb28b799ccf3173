"""Sources that the command line names: folders, images, tables and data sets, each with a name."""

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from salix.data.assets import fetch
from salix.data.datasets import TFDS
from salix.data.grouped import Grouped
from salix.data.image_paths import SUFFIXES, hint, id_of, suffix_of
from salix.data.label_names import parse_label_names, relabel
from salix.data.layouts.entries import GROUPINGS
from salix.data.layouts.opening import UNLABELLED, parse_layout
from salix.data.listing import has_signature
from salix.data.notes import note
from salix.data.place_sources import check_frames, check_root, grouped_by, open_places
from salix.data.places import Place, gather, remote_place
from salix.data.record_index import is_record_file
from salix.data.shard_paths import expand, is_shard, shards_in
from salix.data.source import Source
from salix.data.table_files import is_table
from salix.data.url import Url, is_url, place_of
from salix.data.views import Joined
from salix.typing import InputError


def open_source(
    texts: Sequence[str],
    *,
    group_by: int | str | None = None,
    labels: Sequence[str] = (),
    frames: str | None = None,
    root: Path | str | None = None,
) -> Source:
    """Open what the command line names: `DIR`, `IMAGE`, `TABLE` or `CLASS=DIR`, one or several.

    Several may have one class: `real=a real=b`. DIR may be a data set that `salix pack` has
    written. In its place, `asset:NAME` stands for a folder of `salix.data.assets`; a tar file, a
    folder of tar files and a pattern such as `shard-{000000..000012}.tar` stand for `Shards`, those
    of one class together, and so does an ArrayRecord file, `a.array_record` or
    `array_record:FILE`, for `Records`. In that of TABLE, a file as `Table` reads it,
    `tfds:NAME[/CONFIG][:VERSION]:SPLIT` stands for a data set of TensorFlow Datasets:
    `tfds:mnist:test`, `tfds:mnist:3.0.1:train[:100]`; see `salix.data.datasets`. Each may be the
    address of a remote one, `s3://bucket/faces` or `zip://*.jpg::faces.zip`, see `salix.data.url`.
    Data sets of a known layout and videos are `LAYOUT:PATH`, see `salix.data.layouts`.

    Ids of several sources begin with the class or the folder's name, followed by as much of its
    path as distinguishes it from others of that name.

    `group_by` is that of `Grouped`: levels count from each data folder, a pattern is searched for
    in the id; "video", "source" and "identity" are groups that layouts name. `labels` are classes
    of the names in the data, `real=youtube,actors`, see `parse_label_names`. `frames` chooses those
    of each video, see `parse_frames`; `root` is the folder of the files that a layout's list names.
    """
    options = {"group_by": group_by, "labels": labels, "frames": frames, "root": root}
    return open_sources([texts], **options)[0]


def open_sources(
    data: Sequence[Sequence[str]],
    *,
    group_by: int | str | None = None,
    labels: Sequence[str] = (),
    frames: str | None = None,
    root: Path | str | None = None,
) -> list[Source]:
    """Open several data sets with the same options, such as training and validation data.

    Each option counts for the data that take it, see `open_source`. Raises `InputError` for an
    option, or a name of `labels`, that none of them has.
    """
    label_names = parse_label_names(labels)
    places = [_places(texts) for texts in data]
    check_root(list(itertools.chain(*places)), root)
    opened = [open_places(some, frames, root) for some in places]
    check_frames(itertools.chain(*opened), frames)
    if isinstance(group_by, str) and group_by in GROUPINGS:
        opened, group_by = [grouped_by(sources, group_by) for sources in opened], None
    if label_names:
        unnamed = [
            (k, i) for k, some in enumerate(places) for i, p in enumerate(some) if p.name is None
        ]
        relabelled = relabel([opened[k][i] for k, i in unnamed], label_names)
        for (k, i), source in zip(unnamed, relabelled, strict=True):
            opened[k][i] = source
    return [_join(some, sources, group_by) for some, sources in zip(places, opened, strict=True)]


def _places(texts: Sequence[str]) -> Sequence[Place]:
    """Read the texts of one data set."""
    if not texts:
        raise InputError("no data given: name a folder, an image or a table")
    places = gather([_place(text) for text in texts])
    folders = [folder for p in places if (folder := p.local_folder) is not None]
    for inner, outer in itertools.permutations(folders, 2):
        if Path(inner).is_relative_to(outer) and inner != outer:
            note(f"{inner} lies in {outer}: its images are in the data twice")
    return places


def _join(places: Sequence[Place], opened: Sequence[Source], group_by: int | str | None) -> Source:
    """Return the sources of one data set in a row, with their groups."""
    sources = dict(zip(_keys(places), opened, strict=True))
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
    if (layout := parse_layout(text)) is not None:
        return Place(None, layout.path, layout=layout)
    if not equals or text.startswith(TFDS) or is_url(text) or os.path.lexists(text):
        name, place = None, text
    elif not (name := name.strip()):
        raise InputError(f"{text!r} has no class before its =: write CLASS=DIR")
    if place.startswith(TFDS):
        if name is not None:
            raise InputError(f"{text}: such data have their own labels, leave out {name}=")
        return Place(None, Path(place))
    if (layout := parse_layout(place)) is not None:
        if layout.layout not in UNLABELLED:
            raise InputError(f"{text}: such data have their own labels, leave out {name}=")
        return Place(name, layout.path, layout=layout)
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
    bases = [place.base for place in places]
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
