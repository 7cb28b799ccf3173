"""Scores of two classes with their labels, checked, and equal scores."""

from typing import Any

import numpy as np

from salix.typing import InputError


def scored_labels(scores: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return `scores[image]` and their labels, 0 or 1, as arrays; raises `InputError` for others.

    Lengths that differ are an error too.
    """
    s, y = np.asarray(scores, np.float64), np.asarray(labels)
    if s.shape != y.shape or s.ndim != 1 or not np.isin(y, (0, 1)).all():
        raise InputError(f"scores {s.shape}, labels {y.shape}: give each score a label, 0 or 1")
    return s, y


def last_of_equals(ordered: np.ndarray) -> np.ndarray:
    """Return the last place of each distinct value of sorted values."""
    return np.flatnonzero(np.append(np.diff(ordered) != 0, True))
