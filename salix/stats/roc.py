"""ROC and DET curves as points, and their reduction to as many as a drawing can show."""

from typing import Any

import numpy as np
from scipy import special

from salix.typing import InputError


def roc_points(scores: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the false and true positive rates at each threshold, from (0, 0) to (1, 1).

    Thresholds are the distinct scores, `scores[image]` of labels 0 and 1: equal scores are one
    step. NaN and infinite scores are left out. Raises `InputError` for another label, lengths that
    differ, or an empty class.
    """
    s, y = np.asarray(scores, np.float64), np.asarray(labels)
    if s.shape != y.shape or s.ndim != 1 or not np.isin(y, (0, 1)).all():
        raise InputError(f"scores {s.shape}, labels {y.shape}: give each score a label, 0 or 1")
    known = np.isfinite(s)
    s, y = s[known], y[known]
    ones = int(y.sum())
    if not 0 < ones < len(y):
        raise InputError(f"{ones} of {len(y)} scores are of class 1: give scores of both classes")
    order = np.argsort(-s, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(s[order]) != 0, True))
    hits = np.cumsum(y[order])[ends]
    false = 1 + ends - hits
    return np.append(0, false / (len(y) - ones)), np.append(0, hits / ones)


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
