"""Intervals in the printed tables of studies."""

import numpy as np

from salix.stats import Interval


def mean_with_half(mean: Interval) -> str:
    """Return a mean and half of its interval, the mean alone where the interval is not defined."""
    half = (mean.high - mean.low) / 2
    return f"{mean.value:.3f} ± {half:.3f}" if np.isfinite(half) else f"{mean.value:.3f}"
