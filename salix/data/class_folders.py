"""Classes from the names of folders: the level of a path whose names are classes of a model."""

import re
from collections.abc import Iterable, Mapping, Sequence

from salix.data.notes import note
from salix.data.texts import Categories
from salix.typing import InputError


class FolderName(str):
    """Name of the first folder of an image's path, with all its `folders`."""

    folders: tuple[str, ...]

    def __new__(cls, id: str) -> "FolderName":
        """Take the path of an image, which has a folder at least."""
        *folders, _ = id.split("/")
        name = super().__new__(cls, folders[0])
        name.folders = tuple(folders)
        return name

    def __getnewargs__(self) -> tuple[str]:
        return ("/".join((*self.folders, "")),)


def folder_names(ids: Iterable[str]) -> Sequence[FolderName | None]:
    """Return the name of the first folder of each image's path, None where it has no folder."""
    folders = Categories(id.rpartition("/")[0] for id in ids)
    return folders.mapped(lambda folder: FolderName(f"{folder}/") if folder else None)


def match_folders(
    paths: Mapping[tuple[str, ...], int],
    codes: Mapping[str, int],
    classes: Sequence[str],
    *,
    model: str,
) -> Mapping[tuple[str, ...], int | None]:
    """Return the class of each path of folders, None where it ends above the level of classes.

    `paths` has the number of images of each.

    The level of classes is the one level of which all names are classes: `train/real/1.png` has
    them at level 2. A leading index is no part of a name, `0_real`, if that leaves one folder for
    each class. Levels that name different classes for one image are refused, and so is a path with
    no such level, with the names of each. Folders `0`, `1`, … that are exactly the indices of the
    classes count as such. Any but plain names at level 1 are logged on one line.
    """
    levels = [
        sorted({path[k] for path in paths if len(path) > k}) for k in range(max(map(len, paths)))
    ]
    tables = {k: table for k, names in enumerate(levels) if (table := _table(names, codes))}
    if not tables:
        indices = {str(i): i for i in range(len(classes))}
        tables = {k: indices for k, names in enumerate(levels) if {*names} == {*indices}}
        if len(tables) != 1:
            _refuse(levels, codes, classes, model)
    first = min(tables)
    for path in paths:
        indices = {k: table[path[k]] for k, table in tables.items() if k < len(path)}
        if len({*indices.values()}) > 1:
            k, other = (next(k for k in indices if indices[k] == i) for i in {*indices.values()})
            raise InputError(
                f"the folders of {'/'.join(path)} name two classes, {path[k]} and {path[other]}: "
                f"give each class's own folder, --data {classes[0]}=DIR"
            )
    table = tables[first]
    above = sum(count for path, count in paths.items() if len(path) <= first)
    if first or any(name.strip().casefold() not in codes for name in table):
        pairs = ", ".join([f"{name} = {classes[i]}" for name, i in table.items()][:10])
        pairs += ", …" * (len(table) > 10)
        rest = f"; {above} images above it have no class" if above else ""
        note(f"classes from the folders of level {first + 1}: {pairs}{rest}")
    return {path: table[path[first]] if first < len(path) else None for path in paths}


def _table(names: Sequence[str], codes: Mapping[str, int]) -> dict[str, int] | None:
    """Return the class of each name of a level, None if one is not a class or two are the same."""
    plain = {name: codes.get(name.strip().casefold()) for name in names}
    stripped = {name: codes.get(_stripped(name)) for name in names}
    table = {n: stripped[n] if plain[n] is None else plain[n] for n in names}
    indexed = [table[n] for n in names if plain[n] is None]
    if None in table.values() or any([*table.values()].count(i) > 1 for i in indexed):
        return None
    return {name: index for name, index in table.items() if index is not None}


def _stripped(name: str) -> str:
    return re.sub(r"^\d+[\s_.-]*", "", name.strip()).casefold()


def _refuse(
    levels: Sequence[Sequence[str]], codes: Mapping[str, int], classes: Sequence[str], model: str
) -> None:
    lines = []
    for k, names in enumerate(levels[:4]):
        same = [n for n in names if _stripped(n) in codes or n.strip().casefold() in codes]
        first = ", ".join([*same, *(n for n in names if n not in same)][:5])
        lines.append(f"{first}{', …' * (len(names) > 5)} at level {k + 1}")
    raise InputError(
        f"labels {'; '.join(lines)} are not classes of {model} ({', '.join(classes)}), one folder "
        f"for each: name each folder by its class, --data {classes[0]}=DIR {classes[-1]}=DIR, or "
        "use --no-labels"
    )
