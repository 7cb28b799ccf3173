"""Mean maps of groups of examples, accumulated part by part of a run."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from salix.analysis.frame import Frame


def sum_maps(
    frame: Frame, codes: np.ndarray, count: int, *, batches: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return sums `[code batch *grid]` of the maps with contrast, and their numbers `[code batch]`.

    `codes` [examples], in -1 to `count` - 1, tells which maps are summed together, -1 none. Map i
    of a code is in batch i modulo `batches`. Sums are in the units of the stored maps, and exact
    for maps of 8 bits.
    """
    column = frame.run.columns["map"]
    add = np.uint64 if column.dtype == "uint8" else np.float64
    sums, totals = np.zeros((count, batches, *column.shape), add), np.zeros(count, int)
    codes = np.where(frame.constant_map, -1, codes)
    first = 0
    for part in frame.run.iterate(["map"]):
        maps = part["map"]
        own = codes[first : first + len(maps)]
        first += len(maps)
        for code in np.unique(own[own >= 0]):
            chosen = maps[own == code]
            n, start = len(chosen), totals[code] % batches
            full = n // batches * batches
            added = chosen[:full].reshape(-1, batches, *column.shape).sum(0, dtype=add)
            added[: n - full] += chosen[full:]
            sums[code] += np.roll(added, start, axis=0)
            totals[code] += n
    numbers = totals[:, None] // batches + (np.arange(batches) < totals[:, None] % batches)
    return sums.astype(np.float64), numbers


@dataclass(frozen=True, eq=False)
class GroupMeanMap:
    """Mean of the maps with contrast of a group's runs over one class, in [0, 255]."""

    group: str
    mean: np.ndarray
    images: int  # of one run
    runs: int


@dataclass(frozen=True, eq=False)
class ClassMeanMaps:
    """Mean maps of the examples of one class, an entry a group (None where it has no such map)."""

    title: str
    groups: tuple[GroupMeanMap | None, ...]


def mean_maps(frames: Sequence[Frame], groups: Sequence[str]) -> tuple[ClassMeanMaps, ...]:
    """Average each group's maps over the images of each class, and over runs of one grid.

    Each map is scaled to its own range. All images together where none has a label; () where no
    run has maps of two axes.
    """
    drawn = [f for f in frames if f.has("map") and len(f.run.columns["map"].shape) == 2]
    sums = [_sums_by_class(frame) for frame in drawn]
    named = dict.fromkeys(n for f in drawn for n in f.classes)
    names = [n for n in named if any(n in by for by in sums)] or [None]
    members = {g: [by for f, by in zip(drawn, sums, strict=True) if f.run.group == g] for g in groups}
    table = [
        ClassMeanMaps(
            "all images" if name is None else f"class {name}",
            tuple(_group_mean(g, [by[name] for by in members[g] if name in by]) for g in groups),
        )
        for name in names
    ]
    return tuple(row for row in table if any(m is not None for m in row.groups))


def _sums_by_class(frame: Frame) -> dict[str | None, tuple[np.ndarray, int]]:
    """Return sum and number of the maps of each class; of all, under None, without labels."""
    labelled = bool(frame.classes) and bool((frame.labels >= 0).any())
    classes = frame.classes if labelled else (None,)
    codes = frame.labels if labelled else np.zeros(len(frame), int)
    sums, numbers = sum_maps(frame, codes, len(classes))
    unit = 1 if frame.run.columns["map"].dtype == "uint8" else 255
    each = zip(classes, sums[:, 0], numbers[:, 0], strict=True)
    return {name: (total * unit, int(n)) for name, total, n in each if n}


def _group_mean(group: str, sums: Sequence[tuple[np.ndarray, int]]) -> GroupMeanMap | None:
    if not sums:
        return None
    alike = [(total, n) for total, n in sums if total.shape == sums[0][0].shape]
    images = sum(n for _, n in alike)
    mean = sum((total for total, _ in alike), np.zeros(())) / images
    return GroupMeanMap(group, mean, images // len(alike), len(alike))
