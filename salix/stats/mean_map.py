"""The mean map of a collection of images, and how far two of them are apart.

A mean of many maps is noisy, and the noise makes two means differ that are one in truth. It is
measured by batches of images, so that a map is read once and collections can be joined.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special

from salix.stats.interval import NAN, Interval
from salix.typing import InputError

BATCHES = 50
DRAWS = 400
CELLS = 256  # of a larger grid in which the noise is drawn


@dataclass(frozen=True)
class MeanMap:
    """Sums of the maps of each batch, `[batch *grid]`, and how many maps it holds."""

    sums: np.ndarray
    counts: np.ndarray

    @staticmethod
    def of(maps: Any) -> "MeanMap":
        """Add up `maps[image *grid]`: 8-bit ones as shares of 255, others as they are.

        Image i is in batch i modulo `BATCHES`. Raises `InputError` for maps without a grid.
        """
        x = np.asarray(maps)
        if x.ndim < 2:
            raise InputError(f"maps of shape {x.shape}: give [image, *grid]")
        n, grid = len(x), x.shape[1:]
        whole = n // BATCHES * BATCHES
        small = x.dtype == np.uint8
        add = np.uint32 if small else np.float64
        sums = x[:whole].reshape(-1, BATCHES, *grid).sum(0, dtype=add).astype(np.float64)
        sums[: n - whole] += x[whole:]
        counts = n // BATCHES + (np.arange(BATCHES) < n - whole)
        return MeanMap(sums / 255 if small else sums, counts)

    def merge(self, other: "MeanMap") -> "MeanMap":
        """Return both as one collection; both must have one grid."""
        return MeanMap(self.sums + other.sums, self.counts + other.counts)

    @property
    def n(self) -> int:
        """Number of maps."""
        return int(self.counts.sum())

    @property
    def mean(self) -> np.ndarray:
        """The mean map, NaN for no map."""
        return self.sums.sum(0) / self.n if self.n else np.full(self.sums.shape[1:], NAN)

    def noise(self, part: int) -> np.ndarray:
        """Draw errors of the mean map, [draw cell]; collections of another `part` have others."""
        cells = self.sums.reshape(BATCHES, -1)
        at = looked_at(cells.shape[1])
        held = int((self.counts > 0).sum())
        off = cells[:, at] - self.counts[:, None] * self.mean.ravel()[at]
        return _normal(part) @ off * (np.sqrt(held / (held - 1)) / self.n)


@dataclass(frozen=True)
class MapPair:
    """Two mean maps of one grid, as rows of cells, and errors drawn for each, if they have any."""

    a: np.ndarray
    b: np.ndarray
    noise: tuple[np.ndarray, np.ndarray] | None
    n: int

    @staticmethod
    def of(a: MeanMap, b: MeanMap) -> "MapPair":
        """Take two collections. Raises `InputError` for grids that differ."""
        if a.sums.shape != b.sums.shape:
            raise InputError(
                f"maps on grids of {a.sums.shape[1:]} and {b.sums.shape[1:]}: give both one grid"
            )
        noise = (a.noise(0), b.noise(1)) if min(a.n, b.n) > 1 else None
        return MapPair(a.mean.reshape(1, -1), b.mean.reshape(1, -1), noise, a.n + b.n)

    def distance(self, level: float = 0.95) -> Interval:
        r"""Mean absolute difference of the mean maps, $\frac{1}{c} \sum_i |\bar a_i - \bar b_i|$.

        In the units of the maps, at least 0. Limits are $M \pm q$, q the quantile of the same mean
        for the noise of the two: the lower may lie below 0, and above 0 it rejects that both
        collections are looked at alike. They hold the truth at least as often as `level` says.
        NaN without a map, without limits for fewer than two.
        """
        value = float(np.abs(self.a - self.b).mean())
        if self.noise is None:
            return Interval(value, NAN, NAN, self.n)
        reach = float(np.quantile(np.abs(self.noise[0] - self.noise[1]).mean(1), level))
        return Interval(value, value - reach, value + reach, self.n)

    def correlation(self, level: float = 0.95) -> Interval:
        r"""Pearson correlation of the mean maps over their cells, in [-1, 1].

        1 where they differ by scale and offset at most; noise lowers it. Limits are normal on
        Fisher's scale, $\tanh(\operatorname{artanh} r \pm z s)$, with s the deviation of the
        correlation of the maps with their noise once more. NaN without a map or contrast, without
        limits for fewer than two maps.

        Fisher (1921), Metron 1, 3-32, for the scale.
        """
        value = float(_correlation(self.a, self.b)[0])
        if self.noise is None or not np.isfinite(value):
            return Interval(value, NAN, NAN, self.n)
        at = looked_at(self.a.shape[1])
        drawn = _correlation(self.a[:, at] + self.noise[0], self.b[:, at] + self.noise[1])
        edge = 1 - 1e-12
        centre = np.arctanh(np.clip(value, -edge, edge))
        spread = np.arctanh(np.clip(drawn, -edge, edge)).std(ddof=1)
        half = special.ndtri((1 + level) / 2) * spread
        low, high = float(np.tanh(centre - half)), float(np.tanh(centre + half))
        return Interval(value, low, high, self.n)


@lru_cache(maxsize=8)
def looked_at(cells: int) -> np.ndarray:
    """Return the cells at which noise is drawn: all, or `CELLS` of many, spread without order."""
    if cells <= CELLS:
        return np.arange(cells)
    return np.sort(np.random.default_rng(0).choice(cells, CELLS, replace=False))


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlate the rows of two tables; NaN for a constant row."""
    flat = (np.ptp(a, axis=1) == 0) | (np.ptp(b, axis=1) == 0)
    x, y = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    xx, yy, xy = (np.einsum("rc,rc->r", *of) for of in ((x, x), (y, y), (x, y)))
    return np.clip(xy / np.where(flat, NAN, np.sqrt(xx * yy)), -1, 1)


@lru_cache(maxsize=2)
def _normal(part: int) -> np.ndarray:
    return np.random.default_rng((0, part)).normal(size=(DRAWS, BATCHES))
