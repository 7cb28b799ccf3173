"""Limits over two crossed factors: Student's error of the runs plus that of the images."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import numpy as np
from scipy import special

from salix.stats.bca import bca_quantiles
from salix.stats.clusters import ClusterDesign, known_codes
from salix.stats.interval import NAN, Interval
from salix.typing import InputError

FACTORS = ("runs", "images")
# Variance over runs of the mean of each column of a table, and its degrees of freedom.
RunVariance = Callable[[np.ndarray], tuple[np.ndarray, float]]


def bootstrap_interval(
    values: np.ndarray,
    weights: np.ndarray,
    variance: RunVariance | None,
    level: float,
    draws: int,
    seed: int,
    over: Collection[str],
    clusters: Any,
) -> Interval:
    """Weighted sum over runs of the mean over images, with limits over the factors in `over`."""
    known = np.isfinite(values).all(axis=0)
    table = values[:, known]
    n = table.shape[1]
    if not n:
        raise InputError("no image has a value in every run: leave out runs that have none")
    if not over or not set(over) <= set(FACTORS) or not 0 < level < 1 or draws < 1:
        raise InputError(
            f"over={tuple(over)}, level={level}, draws={draws}: give runs, images or both, a level "
            "between 0 and 1, and at least one draw"
        )
    codes = None if clusters is None else known_codes(clusters, known)
    design = None if codes is None else ClusterDesign.of(n, codes)
    images = weights @ table
    value = float(images.mean())
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    error = np.array([NAN, NAN])
    if "images" not in over:
        if variance is not None:
            of_mean, freedom = variance(table.mean(1, keepdims=True))
            error = np.sqrt(of_mean[0]) * special.stdtrit(freedom, tails)
    elif (n if design is None else design.count) > 1:
        quantiles = partial(_image_quantiles, images - value, design, draws, seed)
        if variance is None or "runs" not in over:
            error = quantiles(tails)
        else:
            samples = _error_of_both(table, images, variance, design, draws, quantiles)
            error = np.quantile(samples, tails, method="hazen")
    low, high, count = value + error[0], value + error[1], 0 if design is None else design.count
    return Interval(value, float(low), float(high), n, values.shape[1] - n, count)


def _image_quantiles(
    deviations: np.ndarray,
    design: ClusterDesign | None,
    draws: int,
    seed: int,
    levels: np.ndarray,
) -> np.ndarray:
    """Quantiles of the error of the mean of `deviations[image]` that is due to the images."""
    if design is None:
        return bca_quantiles(deviations, levels, draws=draws, seed=seed)
    error = deviations / len(deviations)
    t = special.stdtrit(design.freedom(error), levels)
    return t * np.sqrt(design.variance(error))


def _error_of_both(
    table: np.ndarray,
    images: np.ndarray,
    variance: RunVariance,
    design: ClusterDesign | None,
    draws: int,
    quantiles: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Draws of the error of the mean: the sum of a part from the runs and one from the images."""
    n, run_means = len(images), table.mean(1, keepdims=True)
    of_mean, freedom = variance(run_means)
    # The interaction of run and image is in the variance of both; it stays with the runs.
    if design is None:
        interaction, _ = variance(table - run_means)
        total = n * (n - 1) * (images.var(ddof=1) / n)
    else:
        interaction, _ = variance(design.totals(table - run_means))
        total = design.variance(images - images.mean())
    main = max(1 - float(interaction.sum()) / total, 0) if total > 0 else 0
    # A golden-ratio lattice of two uniforms: every part of one meets every part of the other,
    # without the noise of random draws.
    order = np.arange(draws) + 0.5
    from_runs = np.sqrt(of_mean[0]) * special.stdtrit(freedom, order / draws)
    levels = order * (np.sqrt(5) - 1) / 2 % 1
    return from_runs + np.sqrt(main) * quantiles(levels)
