"""Columns of a run's measured examples, read when first needed, and examples shared by runs."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from salix.stats import cluster_codes
from salix.store import Run
from salix.typing import Column

BUDGET = 2**28  # bytes of array columns that are read at once
# Columns with a place of their own on the page, which are no number of an example to average
RESERVED = ("logits", "map", "constant_map", "finite", "frame_time")
# Read with the scalars
RECORD = ("id", "label", "group", "predicted", "target", "constant_map", "finite")
# The same, in units of the score, and so not comparable between models
TOTALS = ("region_total", "region_absolute_total", "region_completeness")


@dataclass(frozen=True)
class Frame:
    """Measured examples of one run: scalars are read once, arrays whenever they are needed.

    Any run will do: `label` is -1 for every example where the run has no labels, and what else a
    run lacks is not in `run.columns`.
    """

    run: Run

    @cached_property
    def scalars(self) -> dict[str, np.ndarray]:
        """Ids, labels, flags and each scalar number, [examples], in the order of the data."""
        names = [n for n in (*RECORD, *TOTALS, *self.numbers) if n in self.run.columns]
        return self.run.read(names)

    @property
    def ids(self) -> np.ndarray:
        """Id of each example."""
        return self.scalars["id"]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def labels(self) -> np.ndarray:
        """Index of the labelled class of each example, -1 where unknown."""
        return self.scalars.get("label", np.full(len(self), -1))

    @cached_property
    def clusters(self) -> np.ndarray | None:
        """Code of the cluster of dependent images of each example, from the column `group`.

        An example without a group is a cluster of its own; None where all are independent.
        """
        return cluster_codes(self.scalars.get("group"), len(self))

    @cached_property
    def predicted(self) -> np.ndarray | None:
        """Index of the predicted class of each example; None where the run predicts no classes."""
        predicted = self.scalars.get("predicted")
        return predicted if predicted is not None and predicted.dtype.kind == "i" else None

    @cached_property
    def constant_map(self) -> np.ndarray:
        """Flag of each map without contrast."""
        return self.flags("constant_map", missing=False)

    @cached_property
    def margins(self) -> np.ndarray:
        """Second logit less the first of each example of a run of two logits."""
        if not len(self):
            return np.zeros(0)
        return np.concatenate([margins(part["logits"]) for part in self.run.iterate(["logits"])])

    def flags(self, name: str, *, missing: bool) -> np.ndarray:
        """Return a column of flags; `missing` where the run has none."""
        values = self.scalars.get(name)
        if values is None:
            return np.full(len(self), missing)
        return np.array([bool(value) for value in values], bool)

    @property
    def numbers(self) -> tuple[str, ...]:
        """Scalar columns that are numbers of an example: all but the reserved ones."""
        return tuple(n for n, c in self._numeric() if not c.shape)

    @property
    def arrays(self) -> tuple[str, ...]:
        """Columns of several numbers an example, along one axis with a title or without a name.

        Values of each region of an image, whose axis is named, cannot be averaged over images.
        """
        return tuple(
            n for n, c in self._numeric() if len(c.shape) == 1 and (c.axis or c.dims == ("axis 0",))
        )

    def _numeric(self) -> Iterator[tuple[str, Column]]:
        # The score is what a map explains, and only that: it cannot be compared between models.
        reserved = (*RESERVED, *TOTALS, *(["score"] if self.has("map") else []))
        for name, column in self.run.columns.items():
            if name not in reserved and column.dtype.startswith(("float", "bool")):
                yield name, column

    def has(self, *names: str) -> bool:
        """Return whether the run has all of some columns."""
        return all(name in self.run.columns for name in names)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; their numbers where the run has labels without names."""
        most = int(self.labels.max(initial=-1)) + 1
        return self.run.classes or tuple(map(str, range(most)))

    def class_name(self, index: int) -> str:
        """Return the name of a class; nothing for an unknown one, -1."""
        return self.classes[index] if index >= 0 else ""

    def read_arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each column of `arrays`, [examples k], as many at a time as `BUDGET` holds."""
        names = list(self.arrays)
        while names:
            size, group = 0, []
            while names and (not group or size < BUDGET):
                group.append(names.pop(0))
                size += 4 * len(self) * self.run.columns[group[-1]].shape[0]
            yield from self.run.read(group).items()

    def rows(self, ids: Collection[str], names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return some columns of the examples of some ids, those that the run has."""
        wanted = np.isin(self.ids, list(ids)) if len(ids) else np.zeros(len(self), bool)
        rows: dict[str, dict[str, Any]] = {}
        if not wanted.any():
            return rows
        known = [n for n in names if n in self.run.columns]
        for part in self.run.iterate(["id", *known]):
            for i in np.flatnonzero(np.isin(part["id"], list(ids))):
                rows[str(part["id"][i])] = {n: part[n][i] for n in known}
        return rows


def margins(logits: np.ndarray) -> np.ndarray:
    r"""Return $z_1 - z_0$: it ranks as P(class 1), without ties where that rounds to 0 or 1."""
    z = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):  # of two infinite logits: NaN, which is then counted
        return z[:, 1] - z[:, 0]


def shared_examples(frames: Sequence[Frame]) -> tuple[list[str], list[np.ndarray]]:
    """Return the ids that every run measured, in the first run's order, and their places."""
    ids = [frame.ids for frame in frames]
    if all(len(i) == len(ids[0]) and (i == ids[0]).all() for i in ids[1:]):
        return ids[0].tolist(), [np.arange(len(ids[0]))] * len(frames)
    places = [{id: n for n, id in enumerate(i)} for i in ids]
    shared = [id for id in ids[0] if all(id in p for p in places)]
    return shared, [np.array([p[id] for id in shared], int) for p in places]


def shared_clusters(frames: Sequence[Frame], places: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return the clusters of shared examples, of the first run that names any; None for none."""
    each = zip(frames, places, strict=True)
    return next((f.clusters[place] for f, place in each if f.clusters is not None), None)


def explained_class(frame: Frame) -> str:
    """Return which class the maps explain, by the rule of the sweep or from the rows themselves."""
    rows, manifest = frame.scalars, frame.run.manifest
    match manifest["config"].get("targets"):
        case "label":
            return "the labelled class"
        case str():
            return f"the class predicted by {manifest['about'].get('targets_run', 'another run')}"
    target = rows.get("target", np.zeros(0))
    if not len(target):
        return "none"
    if frame.predicted is not None and (target == frame.predicted).all():
        return "the predicted class"
    if (target == target[0]).all():
        return f"class {frame.class_name(int(target[0]))}"
    return "the labelled class" if (target == frame.labels).all() else "mixed"


def describe_columns(frames: Sequence[Frame]) -> dict[str, Column]:
    """Return the descriptions of the columns of all runs, by name; of the first run that has it."""
    described: dict[str, Column] = {}
    for frame in frames:
        described = dict(frame.run.columns) | described
    return described
