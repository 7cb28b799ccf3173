"""AUC of detectors by data sets, with intervals over runs and images or groups of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.analysis.data_set_names import data_text, shared_names, weights_key
from salix.analysis.frame import Frame, shared_clusters, shared_examples
from salix.analysis.run_metrics import AUC
from salix.analysis.subset_split import SubsetIndex, index_subsets
from salix.analysis.subset_tables import MOST
from salix.stats import Interval, auc_group_interval


@dataclass(frozen=True, eq=False)
class AucMatrix:
    """AUCs `[detector data set]` and the numbers of runs, None and 0 without a run.

    `groups` are those of the runs of each detector. `counts` are the images of either class of a
    data set, in the run with the most. `others` are the subsets of class 0 alone, whose images are
    compared with each subset of class 1 alone. `separate` marks data sets with runs of their own.
    """

    detectors: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    data_sets: tuple[str, ...]
    counts: tuple[tuple[int, int], ...]
    cells: tuple[tuple[Interval | None, ...], ...]
    runs: tuple[tuple[int, ...], ...]
    others: tuple[str, ...]
    separate: bool


@dataclass(frozen=True, eq=False)
class _Part:
    """Labelled images of one data set in a run, flagged among all its images."""

    frame: Frame
    chosen: np.ndarray


def auc_matrix(frames: Sequence[Frame]) -> AucMatrix | None:
    """Tabulate the AUC of each detector on each data set; None for fewer than two data sets.

    The data sets of runs over the same images are the subsets of these: the first parts of their
    ids. A subset of class 1 alone is compared with all subsets of class 0 alone. Runs over
    different images have one data set each, and runs of the same weights are one detector; both
    are named by the words that the names of their runs share.
    """
    frames = [f for f in frames if AUC.applies(f) and (f.labels >= 0).any()]
    if len({data_text(f) for f in frames}) > 1:
        return _separate(frames)
    return _subsets(frames) if frames else None


def _separate(frames: Sequence[Frame]) -> AucMatrix:
    """Return the matrix of runs over different images."""
    columns: dict[str, list[_Part]] = {}
    units: dict[tuple[str, str], list[_Part]] = {}
    for frame in frames:
        part = _Part(frame, frame.labels >= 0)
        columns.setdefault(data_text(frame), []).append(part)
        units.setdefault((frame.run.group, data_text(frame)), []).append(part)
    rows: dict[Any, dict[str, list[_Part]]] = {}
    for (_, data), parts in units.items():
        row = rows.setdefault(frozenset(weights_key(p.frame) for p in parts), {})
        row.setdefault(data, []).extend(parts)
    members = [[p.frame for parts in row.values() for p in parts] for row in rows.values()]
    of_data = [[p.frame for p in parts] for parts in columns.values()]
    return AucMatrix(
        detectors=shared_names(members, frames),
        groups=tuple(tuple(dict.fromkeys(f.run.group for f in own)) for own in members),
        data_sets=shared_names(of_data, frames),
        counts=tuple(map(_counts, columns.values())),
        cells=tuple(tuple(_auc(row.get(d, ())) for d in columns) for row in rows.values()),
        runs=tuple(tuple(len(row.get(d, ())) for d in columns) for row in rows.values()),
        others=(),
        separate=True,
    )


def _subsets(frames: Sequence[Frame]) -> AucMatrix | None:
    """Return the matrix of runs over the same images, by their subsets."""
    indices = index_subsets(frames)
    classes = _classes(frames, indices)
    zeros, ones = ([n for n, kinds in classes.items() if kinds == {k}] for k in (0, 1))
    others = tuple(zeros) if ones else ()
    columns = [n for n, kinds in classes.items() if kinds == {0, 1} or (others and kinds == {1})]
    if not 1 < len(columns) <= MOST:
        return None
    members: dict[str, dict[str, list[_Part]]] = {}
    for frame, index in zip(frames, indices, strict=True):
        row = members.setdefault(frame.run.group, {})
        for name in columns:
            names = (name, *(others if name in ones else ()))
            places = [i for i, n in enumerate(index.names) if n in names]
            chosen = np.isin(index.index, places) & (frame.labels >= 0)
            row.setdefault(name, []).append(_Part(frame, chosen))
    return AucMatrix(
        detectors=tuple(members),
        groups=tuple((group,) for group in members),
        data_sets=tuple(n or "(no name)" for n in columns),
        counts=tuple(_counts([p for row in members.values() for p in row[n]]) for n in columns),
        cells=tuple(tuple(_auc(row[n]) for n in columns) for row in members.values()),
        runs=tuple(tuple(len(row[n]) for n in columns) for row in members.values()),
        others=tuple(n or "(no name)" for n in others) if set(ones) & set(columns) else (),
        separate=False,
    )


def _classes(frames: Sequence[Frame], indices: Sequence[SubsetIndex]) -> Mapping[str, set[int]]:
    """Return the known labels of each subset."""
    classes: dict[str, set[int]] = {}
    for frame, index in zip(frames, indices, strict=True):
        for i, name in enumerate(index.names):
            own = frame.labels[index.index == i]
            classes.setdefault(name, set()).update(own[own >= 0].tolist())
    return classes


def _counts(parts: Sequence[_Part]) -> tuple[int, int]:
    of = [np.bincount(p.frame.labels[p.chosen], minlength=2) for p in parts]
    zeros, ones = np.max(of, axis=0)[:2].tolist()
    return zeros, ones


def _auc(parts: Sequence[_Part]) -> Interval | None:
    """Return the mean AUC of runs over the images that they share; None without a run."""
    if not parts:
        return None
    frames = [p.frame for p in parts]
    _, places = shared_examples(frames)
    labels = np.array([f.labels[i] for f, i in zip(frames, places, strict=True)])
    known = np.all([p.chosen[i] for p, i in zip(parts, places, strict=True)], axis=0)
    known &= (labels == labels[0]).all(0)
    scores = np.array([p.frame.margins[i][known] for p, i in zip(parts, places, strict=True)])
    clusters = shared_clusters(frames, places)
    own = None if clusters is None else clusters[known]
    return auc_group_interval(scores, labels[0][known], clusters=own)
