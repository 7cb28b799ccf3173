r"""Error rates of a detector with intervals that resample clusters, such as videos.

Clusters are drawn with replacement, those with images of one class, of the other and of both apart,
so that no resample lacks a class; the images of a cluster stay together. Limits are on the scale of
the log odds, which keeps them in [0, 1]: the standard deviation of the log odds over resamples
times Student's quantile at the clusters of the rarer class less one. benchmarks/video_coverage.py
measures their coverage. Rates of 0 and 1 have no deviation: see `auc_limits`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import special

from salix.stats.auc import auc_interval, auc_limits, log_odds_limits
from salix.stats.clusters import known_codes, quantile
from salix.stats.interval import NAN, Interval
from salix.stats.roc import equal_error
from salix.stats.scored_labels import last_of_equals, scored_labels

FPR_LEVELS = (0.001, 0.01, 0.05)
TPR = tuple(f"tpr_{level:g}" for level in FPR_LEVELS)
RATES = ("eer", "ap", *TPR, "acer")
CHUNK = 2**22  # weights of images in memory at once


def detector_rates(
    scores: Any,
    labels: Any,
    *,
    clusters: Any = None,
    level: float = 0.95,
    draws: int = 500,
    seed: int = 0,
) -> Mapping[str, Interval]:
    r"""AUC and `RATES` of `scores[image]` for `labels[image]`, 0 or 1, by their keys.

    `eer` is the equal error rate, where the ROC curve, linear between thresholds, has as many
    misses as false detections; `ap` the average precision $\sum_k (R_k - R_{k-1}) P_k$; `tpr_0.01`
    the greatest true positive rate at a false positive rate of at most 0.01, without interpolation,
    as `detection_rate`, without limits where the clusters of class 0 are fewer than 100, for 0.01:
    of fewer, resamples know nothing about so low a rate; `acer` half the least sum of both error
    rates over all thresholds, as `minimum_acer`, whose threshold is chosen on these very images.
    The AUC has the interval of `auc_interval`. NaN and infinite scores are left out and counted;
    NaN for an empty class.
    """
    s, y = scored_labels(scores, labels)
    rates = {"auc": auc_interval(s, y, level=level, clusters=clusters)}
    known = np.isfinite(s)
    codes = None if clusters is None else known_codes(clusters, known)
    n, undefined = int(known.sum()), int((~known).sum())
    s, y = s[known], y[known]
    if len(np.unique(y)) < 2:
        empty = Interval(NAN, NAN, NAN, n, undefined)
        return rates | dict.fromkeys(RATES, empty)
    own = np.arange(n) if codes is None else codes
    count = 0 if codes is None else int(own.max()) + 1
    order = np.argsort(-s, kind="stable")
    curve = (y[order], last_of_equals(s[order]))
    values = _rates(np.ones((1, n)), *curve)[0]
    drawn = _resampled(own, y, order, curve, draws, seed)
    negatives, positives = (len(np.unique(own[y == k])) for k in (0, 1))
    units = min(negatives, positives)
    coarse = {name for name, f in zip(TPR, FPR_LEVELS, strict=True) if f * negatives < 1}
    for value, sample, name in zip(values.tolist(), drawn.T, RATES, strict=True):
        limits = (NAN, NAN) if name in coarse else _limits(value, sample, units, level)
        rates[name] = Interval(value, *limits, n, undefined, count)
    return rates


def _limits(value: float, sample: np.ndarray, units: int, level: float) -> tuple[float, float]:
    if units < 2:
        return NAN, NAN
    if value in (0.0, 1.0):
        return auc_limits(value, NAN, (units, units), level)
    # Half a unit away from 0 and 1, as a resample may lie at either
    least = min(0.5 / units, value / 2, (1 - value) / 2)
    spread = special.logit(np.clip(sample, least, 1 - least)).std(ddof=1)
    return log_odds_limits(value, quantile(units - 1, (1 + level) / 2) * float(spread))


def _resampled(
    own: np.ndarray,
    labels: np.ndarray,
    order: np.ndarray,
    curve: tuple[np.ndarray, np.ndarray],
    draws: int,
    seed: int,
) -> np.ndarray:
    """Return the rates [draw rate] of resampled clusters."""
    count = int(own.max()) + 1
    ones = np.bincount(own, labels, count)
    sizes = np.bincount(own, minlength=count)
    kinds = (ones > 0).astype(int) + (ones == sizes)  # no image of label 1, some, all
    rng, rows = np.random.default_rng(seed), []
    for start in range(0, draws, size := max(1, CHUNK // len(own))):
        weights = np.zeros((min(size, draws - start), count))
        for kind in np.unique(kinds):
            members = np.flatnonzero(kinds == kind)
            shares = np.full(len(members), 1 / len(members))
            weights[:, members] = rng.multinomial(len(members), shares, len(weights))
        rows.append(_rates(weights[:, own[order]], *curve))
    return np.concatenate(rows)


def _rates(weights: np.ndarray, labels: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return `RATES` [draw rate] of images in falling order of scores, `weights[draw, image]`.

    `ends` are the last places of equal scores.
    """
    hits = np.cumsum(weights * labels, axis=1)[:, ends]
    false = np.cumsum(weights * (1 - labels), axis=1)[:, ends]
    zero = np.zeros((len(weights), 1))
    tpr = np.hstack([zero, hits / hits[:, -1:]])
    fpr = np.hstack([zero, false / false[:, -1:]])
    precision = hits / np.maximum(hits + false, 1e-300)
    columns = [equal_error(fpr, tpr), (np.diff(tpr, axis=1) * precision).sum(1)]
    # Not below a level by the rounding of a quotient
    columns += [np.where(fpr <= f * (1 + 1e-12), tpr, 0).max(1) for f in FPR_LEVELS]
    return np.stack([*columns, ((1 - tpr + fpr) / 2).min(1)], axis=1)
