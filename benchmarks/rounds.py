"""Statistics over rounds, in each of which every variant ran once under the same load."""

from collections.abc import Mapping, Sequence

import numpy as np

Quartiles = dict[str, float]  # median, low, high, n


def quartiles(values: Sequence[float]) -> Quartiles:
    """Median and quartiles of values."""
    low, median, high = np.quantile(np.asarray(values, float), (0.25, 0.5, 0.75))
    return {"median": float(median), "low": float(low), "high": float(high), "n": len(values)}


def round_ratios(
    numerator: Sequence[Mapping[str, float]], denominator: Sequence[Mapping[str, float]], key: str
) -> Quartiles:
    """Quartiles of the ratio of two variants within each round; a common load cancels."""
    return quartiles([a[key] / b[key] for a, b in zip(numerator, denominator, strict=True)])


def correlation(result: Sequence[float], expected: Sequence[float]) -> float:
    """Pearson correlation; NaN for results of different sizes or constant ones."""
    if len(result) != len(expected):
        return float("nan")
    x, y = np.array([result, expected], float)
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any() or np.ptp(x[finite]) == 0 or np.ptp(y[finite]) == 0:
        return float("nan")
    return float(np.corrcoef(x[finite], y[finite])[0, 1])
