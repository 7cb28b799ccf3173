"""Columns of maps in a figure of runs: the methods of each run, chosen by name."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from salix.analysis import Frame
from salix.typing import InputError

EVALUATED = "evaluation_map"  # [method y x], of a sweep of several methods


@dataclass(frozen=True)
class MapColumn:
    """Maps of one method in one run: `place` among its methods, None where it has one alone."""

    frame: Frame
    method: str
    place: int | None = None


def map_columns(frames: Sequence[Frame], methods: Sequence[str] = ()) -> list[MapColumn]:
    """Return the columns of some methods, run by run; by default of all.

    `methods` are texts, such as "GradCAM(relu=False)", or names, such as "GradCAM", for all
    settings. Raises `InputError` for a run without maps of two axes, a method that no run has, and
    a run that has none of the methods.
    """
    each = [_columns_of(frame) for frame in frames]
    known = list(dict.fromkeys(c.method for columns in each for c in columns))
    for wanted in methods:
        if not any(_fits(wanted, method) for method in known):
            raise InputError(f"methods has {wanted!r}: choose among {', '.join(known)}")
    if not methods:
        return [column for columns in each for column in columns]
    chosen: list[MapColumn] = []
    for frame, columns in zip(frames, each, strict=True):
        fitting = [i for m in methods for i, c in enumerate(columns) if _fits(m, c.method)]
        if not fitting:
            raise InputError(
                f"{frame.run.path} has no maps of {' or '.join(methods)}: leave the run out, or "
                f"choose among {', '.join(c.method for c in columns)}"
            )
        chosen += [columns[i] for i in dict.fromkeys(fitting)]
    return chosen


def read_maps(columns: Sequence[MapColumn], ids: Sequence[str]) -> list[list[np.ndarray | None]]:
    """Return the maps of each id in [0, 1], [ids columns], None for one without contrast."""
    stored: dict[tuple[int, str], dict[str, dict[str, np.ndarray]]] = {}
    maps: list[list[np.ndarray | None]] = [[] for _ in ids]
    for column in columns:
        name = "map" if column.place is None else EVALUATED
        key = (id(column.frame), name)
        if key not in stored:  # a run is read once
            stored[key] = column.frame.rows(ids, [name])
        for row, example in zip(maps, ids, strict=True):
            values = stored[key][example][name]
            row.append(_as_map(values if column.place is None else values[column.place]))
    return maps


def column_titles(columns: Sequence[MapColumn]) -> tuple[str, ...]:
    """Return a title of each column: its method, its run, or both where both differ.

    Runs of one name are told apart by their directories.
    """
    runs = {id(c.frame): c.frame.run for c in columns}
    names = {key: run.name for key, run in runs.items()}
    if len(set(names.values())) < len(names):
        names = {key: str(run.path) for key, run in runs.items()}
    if len(runs) == 1:
        return tuple(c.method for c in columns)
    if len({c.method for c in columns}) == 1:
        return tuple(names[id(c.frame)] for c in columns)
    return tuple(f"{names[id(c.frame)]}\n{c.method}" for c in columns)


def _columns_of(frame: Frame) -> list[MapColumn]:
    if frame.has(EVALUATED) and len(frame.run.columns[EVALUATED].shape) == 3:
        methods = map(str, frame.run.columns[EVALUATED].coordinates)
        return [MapColumn(frame, method, place) for place, method in enumerate(methods)]
    if not frame.has("map") or len(frame.run.columns["map"].shape) != 2:
        raise InputError(f"{frame.run.path} stores no maps of two axes: sweep with --maps uint8")
    return [MapColumn(frame, str(frame.run.manifest["config"].get("attribution", frame.run.name)))]


def _fits(wanted: str, method: str) -> bool:
    """Return whether a text is that of a method, or its name."""
    return wanted in (method, method.split("(")[0])


def _as_map(values: np.ndarray) -> np.ndarray | None:
    """Return a stored map in [0, 1]; None for one without contrast."""
    map = values / 255 if values.dtype == np.uint8 else np.asarray(values, np.float64)
    return map if np.isfinite(map).all() and np.ptp(map) > 0 else None
