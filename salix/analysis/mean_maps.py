"""Mean maps of groups of examples, accumulated part by part of a run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from salix.analysis.frame import Frame


def maps_by_code(
    frame: Frame, codes: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray | None]]:
    """Yield the maps with contrast of each code of `codes` [examples], part by part of the run.

    With the clusters of their examples. A code comes once for each part that has such maps;
    negative codes are left out.
    """
    codes, first = np.where(frame.constant_map, -1, codes), 0
    for part in frame.run.iterate(["map"]):
        maps = part["map"]
        rows = slice(first, first + len(maps))
        own, first = codes[rows], rows.stop
        for code in np.unique(own[own >= 0]):
            chosen = own == code
            clusters = None if frame.clusters is None else frame.clusters[rows][chosen]
            yield int(code), maps[chosen], clusters


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
    members = {
        g: [by for f, by in zip(drawn, sums, strict=True) if f.run.group == g] for g in groups
    }
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
    eight_bit = frame.run.columns["map"].dtype == "uint8"
    sums: dict[str | None, tuple[np.ndarray, int]] = {}
    for code, maps, _ in maps_by_code(frame, codes):
        total, count = sums.get(classes[code], (np.zeros(()), 0))
        # 8-bit values are summed exactly
        added = maps.sum(0, dtype=np.uint64) if eight_bit else 255 * maps.sum(0, dtype=np.float64)
        sums[classes[code]] = (total + added.astype(np.float64), count + len(maps))
    return sums


def _group_mean(group: str, sums: Sequence[tuple[np.ndarray, int]]) -> GroupMeanMap | None:
    return GroupMeanMap(group, *mean_over_runs(sums)) if sums else None


def mean_over_runs(sums: Sequence[tuple[np.ndarray, int]]) -> tuple[np.ndarray, int, int]:
    """Return the mean map over runs from the sum and number of maps of each, one at least.

    Of the runs of the first one's grid, with the number of images of one run and that of runs.
    """
    alike = [(total, n) for total, n in sums if total.shape == sums[0][0].shape]
    images = sum(n for _, n in alike)
    mean = sum((total for total, _ in alike), np.zeros(())) / images
    return mean, images // len(alike), len(alike)
