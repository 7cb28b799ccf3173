"""Mean salience map of a subset, mergeable, and the shift between two mean maps.

The mean of many maps is noisy, so that two estimates of one mean differ. The noise is estimated
from batch means: each map is read once, and subsets are merged without going back to their maps.
Of images in clusters, a cluster is in one batch.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special

from salix.stats.clusters import cluster_count
from salix.stats.interval import NAN, Interval
from salix.typing import InputError

BATCHES = 50
DRAWS = 400
PIXELS = 256  # sampled from larger grids to draw the noise at


@dataclass(frozen=True)
class MeanMap:
    """Sums of maps by batch, `[batch *grid]`, in units of 1 / `scale`, and the maps in each batch.

    A monoid: `merge` is associative and commutative (exactly for 8-bit maps, else up to rounding)
    and `empty(grid)` is its identity. A subset that is read part by part, each part with the
    number of maps before it as `first`, gives the same as all its maps at once. `clusters` are the
    codes of its clusters of dependent images, which may also lie in another subset; None for none.
    """

    sums: np.ndarray
    counts: np.ndarray
    scale: float = 1.0
    clusters: np.ndarray | None = None

    @staticmethod
    def empty(grid: tuple[int, ...]) -> "MeanMap":
        """Accumulator of no map on this grid."""
        return MeanMap(np.zeros((BATCHES, *grid)), np.zeros(BATCHES, int))

    @staticmethod
    def of(maps: Any, *, first: int = 0, clusters: Any = None) -> "MeanMap":
        """Sum `maps[image *grid]`: 8-bit values count as fractions of 255, others as they are.

        Map i of the subset is in batch i modulo `BATCHES`; `first` is the index of `maps[0]`. With
        `clusters[image]`, integer codes of the clusters of dependent images, the code takes the
        place of the index. Raises `InputError` for maps without a grid.
        """
        x = np.asarray(maps)
        if x.ndim < 2:
            raise InputError(f"maps of shape {x.shape}: give [image, *grid]")
        n, grid = len(x), x.shape[1:]
        full = n // BATCHES * BATCHES
        eight_bit = x.dtype == np.uint8
        if clusters is not None:
            return MeanMap._by_cluster(x, np.asarray(clusters), 255.0 if eight_bit else 1.0)
        accumulator = np.uint32 if eight_bit else np.float64
        sums = x[:full].reshape(-1, BATCHES, *grid).sum(0, dtype=accumulator).astype(np.float64)
        sums[: n - full] += x[full:]
        counts = n // BATCHES + (np.arange(BATCHES) < n - full)
        sums, counts = (np.roll(a, first % BATCHES, axis=0) for a in (sums, counts))
        return MeanMap(sums, counts, 255.0 if eight_bit else 1.0)

    @staticmethod
    def _by_cluster(x: np.ndarray, codes: np.ndarray, scale: float) -> "MeanMap":
        batches = codes % BATCHES
        sums, order = np.zeros((BATCHES, *x.shape[1:])), np.argsort(batches, kind="stable")
        present, starts = np.unique(batches[order], return_index=True)
        sums[present] = np.add.reduceat(x[order].astype(np.float64), starts, axis=0)
        return MeanMap(sums, np.bincount(batches, minlength=BATCHES), scale, np.unique(codes))

    def merge(self, other: "MeanMap") -> "MeanMap":
        """Both subsets as one; both must have the same grid."""
        if not self.n or not other.n:
            return self if self.n else other
        counts, clusters = self.counts + other.counts, None
        if self.clusters is not None and other.clusters is not None:
            clusters = np.union1d(self.clusters, other.clusters)
        if self.scale == other.scale:
            return MeanMap(self.sums + other.sums, counts, self.scale, clusters)
        return MeanMap(self.sums / self.scale + other.sums / other.scale, counts, 1.0, clusters)

    @property
    def n(self) -> int:
        """Number of maps."""
        return int(self.counts.sum())

    @property
    def mean(self) -> np.ndarray:
        """The mean map `[*grid]`, NaN for no map."""
        if not self.n:
            return np.full(self.sums.shape[1:], NAN)
        return (self.sums / self.scale).sum(0) / self.n

    def noise(self, stream: int) -> np.ndarray:
        """Random errors of the mean map, `[draw pixel]`; independent for different `stream`s."""
        sums = (self.sums / self.scale).reshape(BATCHES, -1)
        pixels = noise_pixels(sums.shape[1])
        batches = int((self.counts > 0).sum())
        residuals = sums[:, pixels] - self.counts[:, None] * self.mean.ravel()[pixels]
        if batches < 2:
            return np.full((DRAWS, len(pixels)), NAN)
        scale = np.sqrt(batches / (batches - 1)) / self.n
        if self.clusters is not None:  # few batches, of unknown variance
            scale *= special.stdtrit(batches - 1, 0.975) / special.ndtri(0.975)
        return _normal(stream) @ residuals * scale


@dataclass(frozen=True)
class MeanMapShift:
    """Two mean maps of one grid, as rows of pixels, and random errors of each, if estimable."""

    a: np.ndarray
    b: np.ndarray
    noise: tuple[np.ndarray, np.ndarray] | None
    n: int
    clusters: int = 0

    @staticmethod
    def of(a: MeanMap, b: MeanMap) -> "MeanMapShift":
        """Compare two subsets. Raises `InputError` for grids that differ."""
        if a.sums.shape != b.sums.shape:
            raise InputError(
                f"maps on grids of {a.sums.shape[1:]} and {b.sums.shape[1:]}: give both one grid"
            )
        # A cluster that lies in both subsets is in the same batch of both, and has the same draws.
        both = a.merge(b).clusters
        noise = (a.noise(0), b.noise(1 if both is None else 0)) if min(a.n, b.n) > 1 else None
        means, count = (a.mean.reshape(1, -1), b.mean.reshape(1, -1)), cluster_count(both)
        return MeanMapShift(*means, noise, a.n + b.n, count)

    def distance(self, *, level: float = 0.95) -> Interval:
        r"""Mean absolute difference of the mean maps, $\frac{1}{c} \sum_i |\bar a_i - \bar b_i|$.

        In the units of the maps, at least 0. Limits are $M \pm q$, q the quantile of the same mean
        for the noise of the two: the lower may lie below 0, and above 0 it rejects equal expected
        maps. Coverage is at least `level`. NaN without a map, without limits for fewer than two.
        """
        value = float(np.abs(self.a - self.b).mean())
        if self.noise is None:
            return Interval(value, NAN, NAN, self.n, 0, self.clusters)
        margin = float(np.quantile(np.abs(self.noise[0] - self.noise[1]).mean(1), level))
        return Interval(value, value - margin, value + margin, self.n, 0, self.clusters)

    def correlation(self, *, level: float = 0.95) -> Interval:
        r"""Pearson correlation of the mean maps over their pixels, in [-1, 1].

        1 where they differ by scale and offset at most; noise lowers it. Limits are normal on
        Fisher's scale, $\tanh(\operatorname{artanh} r \pm z s)$, with s the standard deviation of
        the correlation after adding the noise a second time. NaN without a map or contrast,
        without limits for fewer than two maps.

        Fisher (1921), Metron 1, 3-32, for the scale.
        """
        value = float(_correlate_rows(self.a, self.b)[0])
        if self.noise is None or not np.isfinite(value):
            return Interval(value, NAN, NAN, self.n, 0, self.clusters)
        pixels = noise_pixels(self.a.shape[1])
        noisy = _correlate_rows(
            self.a[:, pixels] + self.noise[0], self.b[:, pixels] + self.noise[1]
        )
        largest = 1 - 1e-12
        centre = np.arctanh(np.clip(value, -largest, largest))
        deviation = np.arctanh(np.clip(noisy, -largest, largest)).std(ddof=1)
        half = special.ndtri((1 + level) / 2) * deviation
        low, high = float(np.tanh(centre - half)), float(np.tanh(centre + half))
        return Interval(value, low, high, self.n, 0, self.clusters)


@lru_cache(maxsize=8)
def noise_pixels(pixels: int) -> np.ndarray:
    """Indices of the pixels at which noise is drawn: all, or a random `PIXELS` of a large grid."""
    if pixels <= PIXELS:
        return np.arange(pixels)
    return np.sort(np.random.default_rng(0).choice(pixels, PIXELS, replace=False))


def _correlate_rows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation of each row of a with that of b; NaN for a constant row."""
    constant = (np.ptp(a, axis=1) == 0) | (np.ptp(b, axis=1) == 0)
    x, y = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    xx, yy, xy = (np.einsum("rc,rc->r", *rows) for rows in ((x, x), (y, y), (x, y)))
    return np.clip(xy / np.where(constant, NAN, np.sqrt(xx * yy)), -1, 1)


@lru_cache(maxsize=2)
def _normal(stream: int) -> np.ndarray:
    return np.random.default_rng((0, stream)).normal(size=(DRAWS, BATCHES))
