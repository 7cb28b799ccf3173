"""Tables of subsets: their numbers over the runs of each group, and shifts from the in-set ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from salix.analysis.columns import TableColumn
from salix.analysis.frame import Frame
from salix.analysis.shifts import NULL, Shift, SubsetColumns, subset_columns, within_range
from salix.analysis.subset_split import SubsetIndex, index_subsets, split_subsets
from salix.analysis.subsets import ALL_CLASSES, ClassChoice, RunSubsets
from salix.stats import Interval, cluster_count, mean_of_intervals
from salix.typing import InputError

POOLED = "in-set together"
MOST = 40  # subsets that are shown without being asked for
SAMPLES = ("spatial_entropy", "histogram_entropy")  # compared where a run has them
OTHER_SAMPLES = 3  # numbers of a run without maps that are compared instead


@dataclass(frozen=True)
class SubsetRow:
    """The images of one subset, or of one class of it, for the runs of one group."""

    subset: str
    part: str  # the class, in words
    in_set: bool
    images: tuple[int, int]  # in the run with the fewest and the most
    runs: int
    numbers: Mapping[str, Interval]
    shifts: Mapping[str, Shift]
    mean: np.ndarray | None = None  # map, in [0, 1]
    clusters: int = 0  # groups of dependent images, in the run with the most


@dataclass(frozen=True)
class SubsetTable:
    """Rows of subsets of each group, and the names of the in-set subsets."""

    groups: tuple[tuple[str, tuple[SubsetRow, ...]], ...]
    in_set: tuple[str, ...]
    columns: SubsetColumns

    @property
    def greatest_mean(self) -> float:
        """The greatest pixel of all mean maps; 1 without any."""
        means = (row.mean for _, rows in self.groups for row in rows)
        return max((float(m.max()) for m in means if m is not None), default=1.0) or 1.0


def subset_table(
    frames: Sequence[Frame],
    groups: Sequence[str],
    *,
    columns: Sequence[TableColumn],
    in_set: Sequence[str] | None = None,
) -> SubsetTable | None:
    """Tabulate the subsets of all runs, and compare those outside `in_set` with those inside.

    A subset is named by the part of its images' ids before the first "/": a source. With `in_set`
    every other one is compared with all in-set images, of the same class and together. `columns`
    are those of the numbers that may be compared: entropies of maps where there are any. None for a
    single subset and, unless `in_set` is given, where subsets are the classes under another name,
    or more than `MOST`, as folders of persons are. Raises `InputError` for an in-set name that no
    image has, and unless some subsets are inside and some are not.
    """
    indices = index_subsets(frames)
    names, inside = _names(indices, in_set)
    if not 1 < len(names) <= (len(names) if inside else MOST):
        return None
    own = [c for c in columns if c.key in SAMPLES] or list(columns[:OTHER_SAMPLES])
    table_columns = subset_columns(own)
    keys = [c.key for c in own]
    split = [split_subsets(f, i, columns=keys) for f, i in zip(frames, indices, strict=True)]
    present = list(dict.fromkeys(key for subsets in split for key in subsets))
    classes = {kind for _, kind in present}
    if not inside and len(present) == len(names) == len(classes):
        return None
    order = [c for c in dict.fromkeys(c for f in frames for c in f.classes) if c in classes]
    kinds: list[ClassChoice] = [*order, *([None] if None in classes else [])]
    outside = [n for n in names if n not in inside]
    together = [inside] if len(inside) > 1 else []
    chosen = [*((n,) for n in inside), *together, *((n,) for n in outside)]
    table = []
    for group in groups:
        runs = [
            RunSubsets(frame.classes, MappingProxyType(subsets), inside)
            for frame, subsets in zip(frames, split, strict=True)
            if frame.run.group == group
        ]
        table.append(
            (group, tuple(r for n in chosen for r in _rows(runs, n, kinds, table_columns)))
        )
    rows = [row for _, rows in table for row in rows]
    numbers = {key for row in rows for key in row.numbers}
    shifts = {key for row in rows for key in row.shifts}
    return SubsetTable(tuple(table), inside, table_columns.having(numbers, shifts))


def _names(
    indices: Sequence[SubsetIndex], in_set: Sequence[str] | None
) -> tuple[list[str], tuple[str, ...]]:
    """Return all names in order, and those of the in-set."""
    names = list(dict.fromkeys(name for index in indices for name in index.names))
    inside = tuple(dict.fromkeys(in_set or ()))
    listed = ", ".join(n or "(no name)" for n in names[:MOST])
    if strange := [n for n in inside if n not in names]:
        raise InputError(f"no image is of {', '.join(strange)}: the subsets are {listed}")
    if in_set is not None and len(inside) in (0, len(names)):
        raise InputError(
            f"{len(inside)} of {len(names)} subsets are in-set: name some of {listed}, not all"
        )
    return names, inside


def _rows(
    runs: Sequence[RunSubsets],
    names: tuple[str, ...],
    kinds: Sequence[ClassChoice],
    columns: SubsetColumns,
) -> list[SubsetRow]:
    holders = {
        kind: sum(any(r.pick((n,), kind) is not None for r in runs) for n in names)
        for kind in kinds
    }
    present = [k for k in kinds if holders[k]]
    # Of several subsets together, a class that one of them has alone has its row already.
    own = [k for k in present if len(names) == 1 or holders[k] > 1]
    every = [ALL_CLASSES] if len(present) > 1 else []
    return [_row(runs, names, k, columns) for k in every + own]


def _row(
    runs: Sequence[RunSubsets],
    names: tuple[str, ...],
    kind: ClassChoice,
    columns: SubsetColumns,
) -> SubsetRow:
    inside = set(names) <= set(runs[0].in_set)
    runs = [r for r in runs if r.pick(names, kind) is not None]
    subsets = [s for r in runs if (s := r.pick(names, kind)) is not None]
    images = [s.images for s in subsets]
    shifts = {}
    if runs[0].in_set and not inside:
        over = _over_runs([r.shifts(names, kind) for r in runs], columns.shifts)
        shifts = {
            c.key: Shift(c, over[c.key], c in columns.differences, NULL.get(c.key, 0.0))
            for c in columns.shifts
            if c.key in over
        }
    means = [s.maps.mean for s in subsets if s.maps is not None and s.maps.n]
    (first, *others), part = names, "all images"
    if kind is not ALL_CLASSES:
        part = "no label" if kind is None else f"class {kind}"
    return SubsetRow(
        POOLED if others else first or "(no name)",
        part,
        inside,
        (min(images), max(images)),
        len(subsets),
        MappingProxyType(_over_runs([r.numbers(names, kind) for r in runs], columns.numbers)),
        MappingProxyType(shifts),
        # Over runs, of the first one's grid
        np.mean([m for m in means if m.shape == means[0].shape], axis=0)
        if means and means[0].ndim == 2
        else None,
        max(cluster_count(s.flags["constant_map"].clusters) for s in subsets),
    )


def _over_runs(
    numbers: Sequence[Mapping[str, Interval]], columns: Sequence[TableColumn]
) -> dict[str, Interval]:
    """Return the interval over runs of each number, within its range."""
    defined = ((c, [n[c.key] for n in numbers if c.key in n]) for c in columns)
    return {
        c.key: within_range(c, mean_of_intervals(intervals))
        for c, intervals in defined
        if intervals
    }
