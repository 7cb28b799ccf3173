"""Error rates of a detector at its thresholds: detections at few false ones, and ACER."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.typing import InputError

NAN = float("nan")
FDR_LEVELS = (0.001, 0.002, 0.01, 0.05)
ACER_GRID = tuple(round(0.025 * i, 3) for i in range(41))  # 0 to 1


@dataclass(frozen=True)
class Acer:
    """The least average classification error rate, where it is reached, and its two parts."""

    value: float
    threshold: float
    apcer: float
    bpcer: float


def detection_rate(scores: Any, labels: Any, fdr: float) -> float:
    r"""Return the true detection rate at a false detection rate, $\max\{TDR(t) : FDR(t) \le f\}$.

    An image counts as detected if its score is at least the threshold t. $TDR(t)$ is the share of
    images of label 1 that are, $FDR(t)$ that of label 0; nothing is interpolated, so that a
    level below one over the number of such images asks for none of them. In [0, 1]; scores of NaN
    are left out; NaN unless both labels are there. Raises `InputError` for other labels, lengths
    that differ, or a level outside [0, 1].

    Boyd et al. (2023), arXiv:2112.00686, evaluation; levels there `FDR_LEVELS`.
    """
    if not 0 <= fdr <= 1:
        raise InputError(f"the false detection rate is {fdr}: give a level in [0, 1]")
    one, zero = _classes(scores, labels)
    if not len(one) or not len(zero):
        return NAN
    _, missed, false = _errors(one, zero, None)
    return float(1 - missed[false <= fdr].min())


def acer(scores: Any, labels: Any, thresholds: Sequence[float] | None = None) -> Acer:
    r"""Return the least $(APCER(t) + BPCER(t)) / 2$ over thresholds t, on these very images.

    APCER is the share of attacks (label 1) whose score is below t, BPCER that of bona fide images
    (label 0) whose score is not. `thresholds` None takes each that makes a difference: the exact
    least one; `ACER_GRID` suits scores in [0, 1]. Of equal ones the lowest threshold is given. As
    the threshold is chosen on the images that it is judged by, the value flatters. In [0, 0.5]
    where thresholds are exact, in [0, 1] on a grid; scores of NaN are left out; NaN unless both
    labels are there. Raises `InputError` for other labels, lengths that differ, or no threshold.

    ISO/IEC 30107-3 for the rates; the grid of 0.025 of Boyd et al. (2023), arXiv:2112.00686.
    """
    if thresholds is not None and not len(thresholds):
        raise InputError("no threshold given: give some, or None for all that matter")
    one, zero = _classes(scores, labels)
    if not len(one) or not len(zero):
        return Acer(NAN, NAN, NAN, NAN)
    at, missed, false = _errors(one, zero, thresholds)
    best = int(np.argmin((missed + false) / 2))
    apcer, bpcer = float(missed[best]), float(false[best])
    return Acer((apcer + bpcer) / 2, float(at[best]), apcer, bpcer)


def _classes(scores: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    s, y = np.asarray(scores, np.float64), np.asarray(labels)
    if s.shape != y.shape or s.ndim != 1 or not np.isin(y, (0, 1)).all():
        raise InputError(f"scores {s.shape}, labels {y.shape}: give one label, 0 or 1, a score")
    known = ~np.isnan(s)
    return s[known & (y == 1)], s[known & (y == 0)]


def _errors(
    one: np.ndarray, zero: np.ndarray, thresholds: Sequence[float] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return thresholds, rising, with the shares of ones below and of zeros not below them."""
    if thresholds is None:
        at = np.append(np.unique(np.concatenate([one, zero])), np.inf)
    else:
        at = np.sort(np.asarray(thresholds, np.float64))
    missed = np.searchsorted(np.sort(one), at) / len(one)
    # An infinite score is at least an infinite threshold: one above all scores detects nothing.
    held = np.searchsorted(np.sort(zero), at)
    if thresholds is None:
        missed[-1], held[-1] = 1.0, len(zero)
    # Not 1 - held / n, whose rounding would put one of twenty above a level of 0.05.
    return at, missed, (len(zero) - held) / len(zero)
