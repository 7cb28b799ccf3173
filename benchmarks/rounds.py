"""The statistics of rounds, in each of which every variant ran once and met the same load."""

from collections.abc import Mapping, Sequence

import numpy as np

Spread = dict[str, float]


def spread(values: Sequence[float]) -> Spread:
    """Return the median and the quartiles of values."""
    low, median, high = np.quantile(np.asarray(values, float), (0.25, 0.5, 0.75))
    return {"median": float(median), "low": float(low), "high": float(high), "n": len(values)}


def ratios(
    numerator: Sequence[Mapping[str, float]], denominator: Sequence[Mapping[str, float]], key: str
) -> Spread:
    """Return the spread of the ratios within each round of two variants that met the same load."""
    return spread([a[key] / b[key] for a, b in zip(numerator, denominator, strict=True)])


def correlation(found: Sequence[float], expected: Sequence[float]) -> float:
    """Return Pearson's correlation; NaN where the results have other sizes or are constant."""
    if len(found) != len(expected):
        return float("nan")
    x, y = np.array([found, expected], float)
    both = np.isfinite(x) & np.isfinite(y)
    if not both.any() or np.ptp(x[both]) == 0 or np.ptp(y[both]) == 0:
        return float("nan")
    return float(np.corrcoef(x[both], y[both])[0, 1])
