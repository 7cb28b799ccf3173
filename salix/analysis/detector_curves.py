"""Curves of two-class detectors: ROC points, score histograms and calibration of each run."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from salix.analysis.frame import Frame
from salix.analysis.run_metrics import AUC
from salix.stats import Calibration, Interval, auc_interval, calibration, roc_points
from salix.stats.roc import equal_error

BINS = 40  # of the histograms
TAILS = 0.5  # percent of the log odds beyond either end of the histograms


@dataclass(frozen=True, eq=False)
class DetectorCurve:
    """Curve of one run over its labelled images, of `counts` of class 0 and 1.

    `fpr` and `tpr` [threshold] are the ROC curve; `histograms` [class bin] the shares of each
    class in bins of the log odds, the first and the last with all beyond; `equal_error` the rate
    where the curve, linear between thresholds, has as many misses as false detections.
    """

    run: str
    group: str
    classes: tuple[str, str]
    counts: tuple[int, int]
    fpr: np.ndarray
    tpr: np.ndarray
    auc: Interval
    equal_error: float
    calibration: Calibration
    histograms: np.ndarray


@dataclass(frozen=True, eq=False)
class DetectorCurves:
    """Curves of all runs that have one, and the edges of the bins of their log odds."""

    curves: tuple[DetectorCurve, ...]
    edges: np.ndarray


def detector_curves(frames: Sequence[Frame]) -> DetectorCurves | None:
    """Return the curves of all runs of two logits with labels of both classes; None without any."""
    scored = [(f, *scores) for f in frames if (scores := _scores(f)) is not None]
    if not scored:
        return None
    finite = np.concatenate([z[np.isfinite(z)] for _, z, _, _ in scored])
    low, high = np.percentile(finite, [TAILS, 100 - TAILS])
    low, high = min(low, -0.5), max(high, 0.5)
    edges = np.linspace(low, high, BINS + 1)
    return DetectorCurves(tuple(_curve(*one, edges) for one in scored), edges)


def _scores(frame: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray | None] | None:
    """Return log odds, labels and clusters of the labelled images; None without both classes."""
    if not AUC.applies(frame):
        return None
    known = frame.labels >= 0
    margins, labels = frame.margins[known], frame.labels[known]
    if len(np.unique(labels[np.isfinite(margins)])) < 2:
        return None
    return margins, labels, None if frame.clusters is None else frame.clusters[known]


def _curve(
    frame: Frame,
    margins: np.ndarray,
    labels: np.ndarray,
    clusters: np.ndarray | None,
    edges: np.ndarray,
) -> DetectorCurve:
    fpr, tpr = roc_points(margins, labels)
    counts = np.bincount(labels, minlength=2)
    inside = np.clip(margins, edges[0], edges[-1])
    histograms = [np.histogram(inside[labels == k], edges)[0] / counts[k] for k in (0, 1)]
    zero, one = frame.classes
    return DetectorCurve(
        frame.run.name,
        frame.run.group,
        (zero, one),
        (int(counts[0]), int(counts[1])),
        fpr,
        tpr,
        auc_interval(margins, labels, clusters=clusters),
        float(equal_error(fpr[None], tpr[None])[0]),
        calibration(special.expit(margins), labels, clusters=clusters),
        np.array(histograms),
    )
