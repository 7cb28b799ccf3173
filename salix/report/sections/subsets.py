"""Whole collections of images, such as those of one generator, and how far they are apart."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from salix.analysis.against import ALL, Kind, View
from salix.analysis.columns import TableColumn
from salix.analysis.shifts import DISTANCES, SHIFTS, VALUES, Shift, within
from salix.analysis.subsets import Places, cut, places
from salix.report import heatmap
from salix.report.export import tidy_row
from salix.stats import Interval, mean_of_intervals
from salix.store import Run
from salix.typing import InputError

POOLED = "in-set together"
MOST = 40  # collections that are told without being asked for


@dataclass(frozen=True)
class Row:
    """The images of one collection, or of one class of it, for the runs of one group."""

    collection: str
    part: str
    inside: bool
    images: tuple[int, int]  # in the run with the fewest and the most
    runs: int
    numbers: dict[str, Interval]
    shifts: dict[str, Shift]
    mean: np.ndarray | None = field(default=None, repr=False)
    picture: str | None = None


@dataclass(frozen=True)
class Collections:
    """The rows of each group and the in-set collections; `top` is the brightest of all maps."""

    groups: tuple[tuple[str, tuple[Row, ...]], ...]
    in_set: tuple[str, ...]
    top: float
    values: tuple[TableColumn, ...] = VALUES
    shifts: tuple[TableColumn, ...] = SHIFTS + DISTANCES


def collections(
    runs: Sequence[Run], groups: Sequence[str], in_set: Sequence[str] | None = None
) -> Collections | None:
    """Tell the collections of all runs apart, and those outside `in_set` from those inside.

    A collection is what the ids of its images start with, up to the first "/": the name of a
    source. With `in_set` every other one is compared with all in-set images, of the same class
    and together. None for a single collection and, unless `in_set` is given, where collections
    are the classes under another name, or more than `MOST`, as folders of persons are. Raises
    `InputError` for an in-set name that no image has, and unless some collections are inside and
    some are not.
    """
    where = places(runs)
    names, inside = _names(where, in_set)
    if not 1 < len(names) <= (len(names) if inside else MOST):
        return None
    found = [cut(run, place) for run, place in zip(runs, where, strict=True)]
    keys = list(dict.fromkeys(key for parts in found for key in parts))
    classes = {kind for _, kind in keys}
    if not inside and len(keys) == len(names) == len(classes):
        return None
    kinds = [c for c in dict.fromkeys(c for r in runs for c in r.classes) if c in classes]
    kinds += [None] * (None in classes)
    chosen: list[tuple[str, ...]] = [
        (n,) for n in (*inside, *(n for n in names if n not in inside))
    ]
    if len(inside) > 1:
        chosen.insert(len(inside), inside)
    table: list[tuple[str, list[Row]]] = []
    for group in groups:
        held = zip(runs, found, strict=True)
        views = [View(r.classes, parts, inside) for r, parts in held if r.group == group]
        table.append((group, [row for n in chosen for row in _rows(views, n, kinds)]))
    means = [row.mean for _, of in table for row in of if row.mean is not None]
    top = max((float(m.max()) for m in means), default=1.0) or 1.0
    drawn = tuple((g, tuple(_draw(row, top) for row in of)) for g, of in table)
    return Collections(drawn, inside, top)


def _names(
    where: Sequence[Places], in_set: Sequence[str] | None
) -> tuple[list[str], tuple[str, ...]]:
    """Return all names in order, and those of the in-set."""
    names = list(dict.fromkeys(name for place in where for name in place.names))
    inside = tuple(dict.fromkeys(in_set or ()))
    there = ", ".join(n or "(no name)" for n in names[:MOST])
    if strange := [n for n in inside if n not in names]:
        raise InputError(f"no image is of {', '.join(strange)}: the collections are {there}")
    if in_set is not None and len(inside) in (0, len(names)):
        raise InputError(
            f"{len(inside)} of {len(names)} collections are in-set: name some of {there}, not all"
        )
    return names, inside


def _rows(views: Sequence[View], names: tuple[str, ...], kinds: Sequence[Kind]) -> list[Row]:
    def holders(kind: Kind) -> int:
        return sum(any(v.pick((n,), kind) is not None for v in views) for n in names)

    held = {kind: holders(kind) for kind in kinds}
    there = [k for k in kinds if held[k]]
    # Of several collections together, a class that one of them has alone has its row already.
    own = [k for k in there if len(names) == 1 or held[k] > 1]
    return [_row(views, names, k) for k in ([ALL] if len(there) > 1 else []) + own]


def _row(views: Sequence[View], names: tuple[str, ...], kind: Kind) -> Row:
    inside = set(names) <= set(views[0].inside)
    views = [v for v in views if v.pick(names, kind) is not None]
    parts = [p for v in views if (p := v.pick(names, kind)) is not None]
    images = [p.images for p in parts]
    shifts = {}
    if views[0].inside and not inside:
        over = _over([v.shifts(names, kind) for v in views], SHIFTS + DISTANCES)
        shifts = {c.key: Shift(c, over[c.key]) for c in SHIFTS + DISTANCES if c.key in over}
    return Row(
        POOLED if len(names) > 1 else next(iter(names)) or "(no name)",
        "all images" if kind is ALL else f"class {kind}" if kind is not None else "no label",
        inside,
        (min(images), max(images)),
        len(parts),
        _over([v.numbers(names, kind) for v in views], VALUES),
        shifts,
        _mean([p.maps.mean for p in parts if p.maps.n]),
    )


def _over(
    found: Sequence[dict[str, Interval]], columns: Sequence[TableColumn]
) -> dict[str, Interval]:
    """Return the interval over runs of each number, within its range."""
    given = ((c, [n[c.key] for n in found if c.key in n]) for c in columns)
    return {c.key: within(c, mean_of_intervals(of)) for c, of in given if of}


def _mean(maps: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return the mean map over runs, of the first one's grid; None where it cannot be drawn."""
    if not maps or maps[0].ndim != 2:
        return None
    return np.mean([m for m in maps if m.shape == maps[0].shape], axis=0)


def _draw(row: Row, top: float) -> Row:
    if row.mean is None:
        return row
    return replace(row, picture=heatmap.smooth(np.rint(row.mean * 255 / top).astype(np.uint8)))


def tidy(found: Collections | None) -> list[dict[str, Any]]:
    """Return a row for each number and shift of each group, under the fields of `export.tidy`.

    `kind` is "collection" or "shift", `at` the collection and its class; what is NaN is None.
    """
    table = []
    for group, of in found.groups if found else ():
        for row in of:
            shifts = {key: shift.interval for key, shift in row.shifts.items()}
            for kind, numbers in (("collection", row.numbers), ("shift", shifts)):
                at = f"{row.collection}: {row.part}"
                for key, i in numbers.items():
                    table.append(tidy_row(kind, group, None, key, at, i))
    return table
