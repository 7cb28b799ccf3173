"""Sources of the places that the command line names."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from salix.data.datasets import open_dataset
from salix.data.files import Folder
from salix.data.frame_choice import parse_frames
from salix.data.layouts.opening import LISTS, open_layout
from salix.data.layouts.source import LayoutSource
from salix.data.packed import Packed
from salix.data.packed_layout import is_packed
from salix.data.places import Place
from salix.data.records import Records
from salix.data.shards import Shards
from salix.data.source import Source
from salix.data.table import Table
from salix.data.table_files import is_table
from salix.data.texts import Categories
from salix.data.url import Url
from salix.typing import InputError


def check_root(places: Sequence[Place], root: Path | str | None) -> None:
    """Raise `InputError` for a root where no place is a list of files."""
    layouts = [place.layout for place in places if place.layout is not None]
    if root is not None and not any(layout.layout in LISTS for layout in layouts):
        raise InputError(f"--root {root}: no list such as deepfakebench:FILE.json is in --data")


def check_frames(sources: Iterable[Source], frames: str | None) -> None:
    """Raise `InputError` for a choice of frames where no source has videos."""
    layouts = (source for source in sources if isinstance(source, LayoutSource))
    if frames is not None and not any("video" in layout.groupings for layout in layouts):
        raise InputError(
            f"--frames {frames}: no videos are in --data: name them videos:DIR, or leave it out"
        )


def open_places(
    places: Sequence[Place], frames: str | None, root: Path | str | None
) -> list[Source]:
    """Open the source of each place, those of layouts with the chosen frames of each video.

    Groups of layouts with different roots have different names.
    """
    choice = None if frames is None else parse_frames(frames)
    folder = None if root is None else Path(root).expanduser()
    sources: list[Source] = []
    for place in places:
        if place.layout is None:
            sources.append(_open(place))
            continue
        source = open_layout(place.layout, root=folder, frames=choice)
        if place.name is not None:
            names = Categories.constant(place.name, len(source.ids))
            source = replace(source, names=names, labels=names)
        sources.append(source)
    return _apart(sources)


def grouped_by(sources: Sequence[Source], by: str) -> list[Source]:
    """Return sources of layouts grouped by "video", "source" or "identity"."""
    grouped: list[Source] = []
    for source in sources:
        if not isinstance(source, LayoutSource):
            raise InputError(
                f"--group-by {by}: {source.ids[0]!r} is of no layout that names a {by}: give a "
                "folder level, such as -1, or a pattern such as '(\\d+)_'"
            )
        grouped.append(source.grouped(by))
    return grouped


def _apart(sources: Sequence[Source]) -> list[Source]:
    """Return sources whose groups bear the names of their roots, where there are several roots."""
    roots = [os.path.realpath(s.root) if isinstance(s, LayoutSource) else None for s in sources]
    parts = {root: Path(root).parts for root in roots if root is not None}
    if len(parts) < 2:
        return list(sources)
    depth = 1
    while len({p[-depth:] for p in parts.values()}) < len(parts):
        depth += 1
    return [
        replace(source, prefix="/".join(parts[root][-depth:]) + "/")
        if isinstance(source, LayoutSource) and root is not None
        else source
        for source, root in zip(sources, roots, strict=True)
    ]


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
