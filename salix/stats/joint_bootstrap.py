"""Bootstrap of several means over the same images: one set of resamples for all of them."""

from typing import Any

import numpy as np

from salix.stats.bca import corrected_quantiles
from salix.stats.bootstrap import bootstrap_mean
from salix.stats.clusters import cluster_codes
from salix.stats.interval import Interval, mean_interval
from salix.stats.joint_flips import unit_sums

FEW = 50  # images; the mean of fewer is resampled by itself, with a fixed number of images


def resampled_means(
    values: Any, *, draws: int = 2000, seed: int = 0, clusters: Any = None
) -> np.ndarray:
    """Means `[draw column]` of `values[image column]` over resampled images.

    A draw has as many images as the sample, drawn with replacement (as many clusters, where
    `clusters[image]` names those of dependent images); the mean of a column is over those with a
    value, NaN in a draw without any. All columns share the draws, so that functions of several
    columns (a rank, the greatest of them) have their distribution too.
    """
    x = np.asarray(values, np.float64)
    known = unit_sums(np.isfinite(x).astype(np.float64), clusters)
    table = np.concatenate([unit_sums(x, clusters), known], axis=1)
    units, columns = len(table), x.shape[1]
    rng, rows = np.random.default_rng(seed), max(1, 2**22 // max(units, 1))
    sums = np.empty((draws, 2 * columns))
    for start in range(0, draws, rows):
        drawn = (
            np.bincount(rng.integers(units, size=units, dtype=np.int32), minlength=units)
            for _ in range(min(rows, draws - start))
        )
        counts = np.array([row.astype(np.uint8) for row in drawn])
        sums[start : start + len(counts)] = counts.astype(np.float64) @ table
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sums[:, columns:] > 0, sums[:, :columns] / sums[:, columns:], np.nan)


def joint_limits(
    values: Any, means: np.ndarray, *, level: float = 0.95, seed: int = 0, clusters: Any = None
) -> list[Interval]:
    """Means of the columns of `values[image column]` with intervals from `resampled_means`.

    Of the BCa limits (as `bootstrap_mean` has them, which takes a column of fewer than 50 values)
    and Student's, each the farther one. Differences of two models are symmetric and long-tailed
    where they are alike, and skewed where one relies on what few images have: BCa limits alone have
    88-92 % coverage of 15 to 60 values of the former, Student's 84-92 % of the latter, both
    together 92-97 % for 30 values and more. Of images in clusters the limits are Student's with the
    cluster-robust variance (`mean_interval`): clusters are mostly too few to be resampled. Limits
    of the negated values are the negated limits to the bit. NaN for a column without a value.
    """
    x = np.asarray(values, np.float64)
    codes, tails = cluster_codes(clusters, len(x)), np.array([(1 - level) / 2, (1 + level) / 2])
    intervals = []
    for column, draws in zip(x.T, means.T, strict=True):
        known = column[np.isfinite(column)]
        # The sign is taken out first: rounding would not be symmetric.
        sign = -1.0 if len(known) and known.mean() < 0 else 1.0
        student = mean_interval(sign * column, level=level, clusters=codes)
        ends = [student.low, student.high]
        if codes is None and len(known):
            few = len(known) < FEW
            bca = (
                bootstrap_mean(sign * column, level=level, draws=len(draws), seed=seed)
                if few
                else _bca(sign * column, sign * draws, tails)
            )
            ends = [min(ends[0], bca.low), max(ends[1], bca.high)]
        low, high = sorted([sign * ends[0], sign * ends[1]])
        rest = (student.n, student.undefined, student.clusters)
        intervals.append(Interval(sign * student.value, low, high, *rest))
    return intervals


def _bca(column: np.ndarray, draws: np.ndarray, tails: np.ndarray) -> Interval:
    """BCa interval of the mean of a column of independent images, from its resampled means."""
    x = column[np.isfinite(column)]
    value, scale = float(x.mean()), float(x.std())
    error = np.zeros(2)
    if scale:
        resampled = (draws[np.isfinite(draws)] - value) / scale
        error = scale * corrected_quantiles(resampled, (x - value) / scale, tails)
    low, high = (float(value + e) for e in error)
    return Interval(value, low, high, len(x), len(column) - len(x))
