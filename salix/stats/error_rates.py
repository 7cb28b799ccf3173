"""Error rates of a detector over thresholds: detection at low false rates, and ACER."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.stats.interval import NAN
from salix.stats.scored_labels import scored_labels
from salix.typing import InputError

FDR_LEVELS = (0.001, 0.002, 0.01, 0.05)
ACER_GRID = tuple(round(0.025 * i, 3) for i in range(41))  # 0 to 1


@dataclass(frozen=True)
class Acer:
    """Average classification error rate at one threshold, and its two parts."""

    value: float
    threshold: float
    apcer: float
    bpcer: float


def detection_rate(scores: Any, labels: Any, fdr: float) -> float:
    r"""True detection rate at a false detection rate, $\max\{TDR(t) : FDR(t) \le f\}$.

    An image is detected if its score is at least the threshold t. $TDR(t)$ is the detected share
    of the images of label 1, $FDR(t)$ of those of label 0; without interpolation, so that a level
    below one over the number of images of label 0 allows no false detection. In [0, 1]; scores of
    NaN are left out; NaN for an empty class. Raises `InputError` for other labels, lengths that
    differ, or a level outside [0, 1].

    Boyd et al. (2023), arXiv:2112.00686, evaluation; its levels are `FDR_LEVELS`.
    """
    if not 0 <= fdr <= 1:
        raise InputError(f"the false detection rate is {fdr}: give a level in [0, 1]")
    positive, negative = _by_label(scores, labels)
    if not len(positive) or not len(negative):
        return NAN
    _, missed, false = _error_curves(positive, negative, None)
    return float(1 - missed[false <= fdr].min())


def minimum_acer(scores: Any, labels: Any, *, thresholds: Sequence[float] | None = None) -> Acer:
    r"""Smallest $(APCER(t) + BPCER(t)) / 2$ over thresholds t, on these very images.

    APCER is the share of attacks (label 1) whose score is below t, BPCER that of bona fide images
    (label 0) whose score is not. `thresholds` None means every distinct score, for the exact
    minimum; `ACER_GRID` suits scores in [0, 1]. Ties go to the lowest threshold. As the threshold
    is chosen on the images that it is evaluated on, the estimate is optimistically biased. In
    [0, 0.5] for exact thresholds, in [0, 1] on a grid; scores of NaN are left out; NaN for an
    empty class. Raises `InputError` for other labels, lengths that differ, or no threshold.

    ISO/IEC 30107-3 for the rates; the grid of 0.025 of Boyd et al. (2023), arXiv:2112.00686.
    """
    if thresholds is not None and not len(thresholds):
        raise InputError("thresholds is empty: give some, or None for all distinct scores")
    positive, negative = _by_label(scores, labels)
    if not len(positive) or not len(negative):
        return Acer(NAN, NAN, NAN, NAN)
    points, missed, false = _error_curves(positive, negative, thresholds)
    best = int(np.argmin((missed + false) / 2))
    apcer, bpcer = float(missed[best]), float(false[best])
    return Acer((apcer + bpcer) / 2, float(points[best]), apcer, bpcer)


def _by_label(scores: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the images of label 1 and of label 0, without NaN."""
    s, y = scored_labels(scores, labels)
    known = ~np.isnan(s)
    return s[known & (y == 1)], s[known & (y == 0)]


def _error_curves(
    positive: np.ndarray, negative: np.ndarray, thresholds: Sequence[float] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ascending thresholds, shares of positives below and of negatives not below each."""
    if thresholds is None:
        points = np.append(np.unique(np.concatenate([positive, negative])), np.inf)
    else:
        points = np.sort(np.asarray(thresholds, np.float64))
    missed = np.searchsorted(np.sort(positive), points) / len(positive)
    rejected = np.searchsorted(np.sort(negative), points)
    # A score of infinity is not below a threshold of infinity, but the last exact threshold must
    # detect nothing.
    if thresholds is None:
        missed[-1], rejected[-1] = 1.0, len(negative)
    # Not 1 - rejected / n, whose rounding would lift one of twenty above a level of 0.05.
    return points, missed, (len(negative) - rejected) / len(negative)
