"""ROC and DET curves as points, and their reduction to as many as a drawing can show."""

from typing import Any

import numpy as np
from scipy import special

from salix.stats.scored_labels import last_of_equals, scored_labels
from salix.typing import InputError


def roc_points(scores: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the false and true positive rates at each threshold, from (0, 0) to (1, 1).

    Thresholds are the distinct scores, `scores[image]` of labels 0 and 1: equal scores are one
    step. NaN and infinite scores are left out. Raises `InputError` for another label, lengths that
    differ, or an empty class.
    """
    s, y = scored_labels(scores, labels)
    known = np.isfinite(s)
    s, y = s[known], y[known]
    ones = int(y.sum())
    if not 0 < ones < len(y):
        raise InputError(f"{ones} of {len(y)} scores are of class 1: give scores of both classes")
    order = np.argsort(-s, kind="stable")
    ends = last_of_equals(s[order])
    hits = np.cumsum(y[order])[ends]
    false = 1 + ends - hits
    return np.append(0, false / (len(y) - ones)), np.append(0, hits / ones)


def equal_error(fpr: np.ndarray, tpr: np.ndarray) -> np.ndarray:
    """Return the rate [curve] where misses and false detections are equal, between thresholds.

    `fpr` and `tpr` [curve threshold] rise from 0 to 1.
    """
    gap = fpr - (1 - tpr)  # rises from -1 to 1
    after = (gap >= 0).argmax(1)[:, None]
    a, b = (np.take_along_axis(gap, i, 1) for i in (after - 1, after))
    low, high = (np.take_along_axis(fpr, i, 1) for i in (after - 1, after))
    share = np.where(b > a, -a / np.where(b > a, b - a, 1), 0)
    return (low + share * (high - low))[:, 0]


def drawn_points(x: np.ndarray, y: np.ndarray, *, most: int = 300) -> np.ndarray:
    """Return the places of about `most` points at most that draw a monotone curve.

    Corners of steps are kept before points within them; then points at equal distances along the
    curve, by the sum of both coordinates' changes.
    """
    flat = (np.diff(x[:-1]) == 0) & (np.diff(x[1:]) == 0)
    flat |= (np.diff(y[:-1]) == 0) & (np.diff(y[1:]) == 0)
    corners = np.flatnonzero(np.concatenate([[True], ~flat, [True]])) if len(x) > 2 else None
    places = np.arange(len(x)) if corners is None else corners
    if len(places) <= most:
        return places
    along = np.abs(np.diff(x[places])) + np.abs(np.diff(y[places]))
    length = np.append(0, np.cumsum(along))
    step = np.floor(length / max(length[-1], 1e-12) * (most - 2)).astype(int)
    return places[np.append(np.flatnonzero(np.diff(step, prepend=-1)), len(places) - 1)]


def det_coordinates(rates: np.ndarray, *, least: float) -> np.ndarray:
    """Return rates on the normal deviate scale of DET curves, kept within `least` of 0 and 1.

    Martin et al. (1997), Eurospeech, doi:10.21437/Eurospeech.1997-504.
    """
    return special.ndtri(np.clip(rates, least, 1 - least))
