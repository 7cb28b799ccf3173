r"""Calibration of a detector: reliability diagram and expected calibration error."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.stats.clusters import known_codes
from salix.stats.interval import NAN, Interval, share_interval
from salix.typing import InputError

BINS = 10


@dataclass(frozen=True, eq=False)
class Calibration:
    r"""Bins of equal width: mean probability `[bin]`, share of class 1 with its interval, images.

    Empty bins are left out. `error` is the expected calibration error
    $\sum_b (n_b / n) |\bar y_b - \bar p_b|$, in [0, 1], 0 for a calibrated detector with infinitely
    many images; `chance` its expectation for a calibrated detector with as many independent images
    in these bins.
    """

    probabilities: np.ndarray
    shares: tuple[Interval, ...]
    counts: np.ndarray
    error: float
    chance: float
    undefined: int


def calibration(
    probabilities: Any, labels: Any, *, clusters: Any = None, bins: int = BINS
) -> Calibration:
    r"""Compare `probabilities[image]` of class 1 with `labels[image]`, 0 or 1, in bins.

    A probability on the edge of two bins belongs to the lower one. Intervals of shares are over
    images, or over clusters. `chance` is $\sum_b \sqrt{2 v_b / (\pi n_b)}\, n_b / n$ with $v_b$
    the mean of $p (1 - p)$ in a bin, by the normal limit. NaN is left out and counted. Raises
    `InputError` for other labels, probabilities outside [0, 1], or lengths that differ.

    Naeini, Cooper and Hauskrecht (2015), AAAI, for the error of a class probability.
    """
    p, y = np.asarray(probabilities, np.float64), np.asarray(labels)
    known = ~np.isnan(p)
    if p.shape != y.shape or p.ndim != 1 or not np.isin(y, (0, 1)).all():
        raise InputError(f"probabilities {p.shape}, labels {y.shape}: give each a label, 0 or 1")
    if ((p[known] < 0) | (p[known] > 1)).any():
        raise InputError("probabilities are outside [0, 1]: give those of class 1")
    codes = None if clusters is None else known_codes(clusters, known)
    p, y, undefined = p[known], y[known], int((~known).sum())
    place = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], p)
    counts = np.bincount(place, minlength=bins)
    full = np.flatnonzero(counts)
    n = counts[full]
    means = np.bincount(place, p, bins)[full] / n
    variance = np.bincount(place, p * (1 - p), bins)[full] / n
    own = [place == b for b in full]
    shares = tuple(share_interval(y[i], clusters=None if codes is None else codes[i]) for i in own)
    weights = n / max(len(p), 1)
    gaps = np.abs(np.array([s.value for s in shares]) - means) if len(p) else np.array([NAN])
    chance = float((weights * np.sqrt(2 * variance / (np.pi * n))).sum()) if len(p) else NAN
    error = float((weights * gaps).sum()) if len(p) else NAN
    return Calibration(means, shares, n, error, chance, undefined)
