"""Sources that the command line names."""

from collections.abc import Sequence
from pathlib import Path

from salix.data.assets import fetch
from salix.data.datasets import TFDS, open_dataset
from salix.data.files import Folder, Table
from salix.data.grouped import Grouped
from salix.data.source import Source
from salix.data.views import Joined
from salix.typing import InputError


def open_source(texts: Sequence[str], *, group_by: int | str | None = None) -> Source:
    """Open what the command line names: `DIR`, `FILE.csv` or `CLASS=DIR`, one or several.

    In the place of DIR, `asset:NAME` stands for a folder of `salix.data.assets`. In that of
    FILE.csv, `tfds:NAME[/CONFIG][:VERSION]:SPLIT` stands for a data set of TensorFlow Datasets:
    `tfds:mnist:test`, `tfds:mnist:3.0.1:train[:100]`; see `salix.data.datasets`.

    `group_by` is that of `Grouped`: levels count from each data folder, a pattern is searched for
    in the id.
    """
    source = _open_all(texts, group_by if isinstance(group_by, int) else None)
    return Grouped(source, group_by) if isinstance(group_by, str) else source


def _open_all(texts: Sequence[str], level: int | None) -> Source:
    """Open one source, or several in a row, and group their images by a folder level."""
    sources: dict[str, Source] = {}
    for text in texts:
        name, equals, place = text.partition("=")
        if not equals or text.startswith(TFDS) or Path(text).exists():
            name, place = None, text
        key, source = _open(name, place)
        if len(texts) == 1 and name is None:
            return source if level is None else Grouped(source, level)
        if key in sources:
            raise InputError(f"two sources are called {key!r}: name them apart, NAME=DIR")
        sources[key] = source if level is None else Grouped(source, level, prefix=f"{key}/")
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
