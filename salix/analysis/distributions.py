"""Distribution of a number over the examples of each run: histograms and means, class by class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from salix.analysis.columns import TableColumn
from salix.analysis.frame import Frame
from salix.stats import Interval, mean_interval

BINS = 40
CLASSES = 4  # more are drawn together


@dataclass(frozen=True, eq=False)
class Distribution:
    """Histograms of one number: `shares[run][class]` of the examples in each bin, and their means.

    A run whose number is undefined for a class has shares of 0.
    """

    column: TableColumn
    runs: tuple[str, ...]
    classes: tuple[str, ...]
    edges: np.ndarray
    shares: tuple[tuple[np.ndarray, ...], ...]
    means: tuple[tuple[Interval, ...], ...]


def distribution(frames: Sequence[Frame], column: TableColumn) -> Distribution | None:
    """Bin a scalar column over the examples of each class; None if no value is defined."""
    # A class without a value has no panel: genuine images have no forged region, for one.
    classes = [
        c for c in _classes(frames) if any(len(_values(f, column.key, c[1])) for f in frames)
    ]
    if not classes:
        return None
    values = [[_values(frame, column.key, name) for _, name in classes] for frame in frames]
    clusters = [[_clusters(frame, name) for _, name in classes] for frame in frames]
    pooled = np.concatenate([v[np.isfinite(v)] for row in values for v in row])
    low, high = float(pooled.min()), float(pooled.max())
    if column.low is not None and column.high is not None:
        low, high = min(low, column.low), max(high, column.high)
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    counts = [[np.histogram(v[np.isfinite(v)], edges)[0] for v in row] for row in values]
    return Distribution(
        column,
        tuple(f.run.name for f in frames),
        tuple(title for title, _ in classes),
        edges,
        tuple(tuple(n / max(1, n.sum()) for n in row) for row in counts),
        tuple(
            tuple(
                mean_interval(v, clusters=c if len(v) else None) for v, c in zip(*row, strict=True)
            )
            for row in zip(values, clusters, strict=True)
        ),
    )


def _classes(frames: Sequence[Frame]) -> list[tuple[str, str | None]]:
    """Return title and name of each class; None for all examples together."""
    labelled: dict[str, None] = {}
    unknown = False
    for frame in frames:
        labels = frame.labels
        labelled |= dict.fromkeys(frame.class_name(int(i)) for i in np.unique(labels[labels >= 0]))
        unknown |= bool((labels < 0).any())
    if unknown or not 1 < len(labelled) <= CLASSES:
        return [("all images", None)]
    order = list(dict.fromkeys(c for f in frames for c in f.classes if c in labelled))
    return [(f"images of class {c}", c) for c in order]


def _values(frame: Frame, key: str, name: str | None) -> np.ndarray:
    """Return a column over one class; empty if none of it is defined."""
    if key not in frame.numbers:
        return np.zeros(0)
    values = frame.scalars[key].astype(np.float64)[_of_class(frame, name)]
    return values if np.isfinite(values).any() else np.zeros(0)


def _clusters(frame: Frame, name: str | None) -> np.ndarray | None:
    return None if frame.clusters is None else frame.clusters[_of_class(frame, name)]


def _of_class(frame: Frame, name: str | None) -> np.ndarray:
    """Return a flag of each example of one class, or of all."""
    if name is None:
        return np.ones(len(frame), bool)
    return frame.labels == (frame.classes.index(name) if name in frame.classes else -2)
