r"""Clusters of dependent images, and cluster-robust variances of sums of contributions.

The frames of a video and the crops of an identity are not independent: the clusters are the
sample, and not their images. The error of an estimate is written as a sum of contributions of the
images, $\sum_i c_i$ (of a mean: $(x_i - \bar x) / n$; of an area under the ROC curve: the centred
placement values over the size of their class). The contributions of a cluster are added, whatever
the correlations within it, and the squares of these sums are added over clusters.

A sum over the share h of a stratum (a class of images, a group) is divided by $\sqrt{1 - h}$, which
makes the variance unbiased for contributions that are independent or of one correlation in clusters
of one size (CR2 of Bell and McCaffrey, 2002, Survey Methodology 28(2), 169-181). For clusters of
one image it is the usual variance, of areas DeLong's; of areas over clusters it is that of
Obuchowski (1997), doi:10.2307/2533958, with this correction. The degrees of freedom are
Satterthwaite's: G - 1 for G clusters of one size, fewer for unequal ones.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from salix.typing import InputError


def cluster_codes(clusters: Any, n: int) -> np.ndarray | None:
    """Integer codes `[image]`, 0 and up, of the clusters of n images; None for independent images.

    `clusters` has a value for each image: equal values are one cluster; None, NaN and "" are an
    image by itself. Clusters of one image each are independent images. Raises `InputError` for
    another number of values.
    """
    if clusters is None:
        return None
    # Of a list, np.asarray would make strings of None and NaN.
    values = clusters if isinstance(clusters, np.ndarray) else np.asarray(clusters, object)
    if values.shape != (n,):
        raise InputError(f"clusters of shape {values.shape} for {n} images: give one for each")
    if values.dtype.kind in "iub" and n and values.min() >= 0 and values.max() < 4 * n + 1000:
        # Faster than sorting, for codes that are cut to some of their images again and again
        codes = (np.cumsum(np.bincount(values) > 0) - 1)[values]
    elif values.dtype.kind in "iub":
        codes = np.unique(values, return_inverse=True)[1].reshape(n)
    else:
        # One pass of a dictionary takes mixed types, and needs no order among them.
        listed, places = values.tolist(), {}
        named = ((None, i) if v is None or v == "" or v != v else v for i, v in enumerate(listed))
        codes = np.fromiter((places.setdefault(v, len(places)) for v in named), int, n)
    return codes if n and int(codes.max()) + 1 < n else None


def known_codes(clusters: Any, known: Any) -> np.ndarray | None:
    """Codes of the images that are `known`, of `clusters` that has a value for each image."""
    codes = cluster_codes(clusters, len(known))
    return None if codes is None else cluster_codes(codes[known], int(known.sum()))


def quantile(freedom: float, level: float) -> float:
    """Quantile of Student's distribution; of the normal one for infinite degrees of freedom."""
    return float(special.ndtri(level) if np.isinf(freedom) else special.stdtrit(freedom, level))


def tail(freedom: float, t: float) -> float:
    """Probability above t of Student's distribution, or of the normal one, as `quantile`."""
    return float(special.ndtr(-t) if np.isinf(freedom) else special.stdtr(freedom, -t))


def cluster_count(clusters: Any) -> int:
    """Number of clusters of images that `clusters` has a value for each of; 0 for None."""
    return 0 if clusters is None else len(np.unique(np.asarray(clusters)))


@dataclass(frozen=True, eq=False)
class ClusterDesign:
    """Images in clusters and strata: each stratum has a mean, and a cluster may lie across strata.

    A cell is the part of a cluster in one stratum. `order` sorts the images by cluster, then
    stratum; `starts` are the first places of the cells in it, `first_cells` the first cells of the
    clusters; `sizes` and `shares` are the images of a cell, in number and as a share of its
    stratum, `strata` its stratum.
    """

    order: np.ndarray
    starts: np.ndarray
    first_cells: np.ndarray
    sizes: np.ndarray
    shares: np.ndarray
    strata: np.ndarray

    @staticmethod
    def of(
        n: int, codes: np.ndarray | None = None, strata: np.ndarray | None = None
    ) -> "ClusterDesign":
        """Design of n images: `codes[image]` from `cluster_codes`, `strata[image]` 0 and up."""
        own = np.arange(n) if codes is None else codes
        kinds = np.zeros(n, int) if strata is None else np.asarray(strata, int)
        order = np.lexsort((kinds, own))
        own, kinds = own[order], kinds[order]
        new = np.diff(own, prepend=-1) != 0
        starts = np.flatnonzero(new | (np.diff(kinds, prepend=-1) != 0))
        sizes = np.diff(starts, append=n)
        in_stratum = np.bincount(kinds, minlength=1)[kinds[starts]]
        first_cells = np.flatnonzero(new[starts])
        return ClusterDesign(order, starts, first_cells, sizes, sizes / in_stratum, kinds[starts])

    @property
    def count(self) -> int:
        """Number of clusters."""
        return len(self.first_cells)

    @property
    def effective_count(self) -> float:
        r"""Number of clusters of one size that are worth as much, $n^2 / \sum_g n_g^2$ (Kish)."""
        sizes = np.add.reduceat(self.sizes, self.first_cells)
        return float(sizes.sum() ** 2 / (sizes**2).sum())

    def least_count(self) -> int:
        """Number of clusters of the stratum that has the fewest."""
        return int(np.bincount(self.strata).min())

    def sums(self, contributions: np.ndarray) -> np.ndarray:
        """Sums of `contributions[... image]` by cluster, `[... cluster]`."""
        return np.add.reduceat(self._cells(contributions), self.first_cells, axis=-1)

    def totals(self, contributions: np.ndarray) -> np.ndarray:
        r"""Sums by cluster, each part divided by $\sqrt{1 - h}$: the variance is that of squares.

        NaN for a cluster that is a whole stratum, whose variance cannot be known.
        """
        rest = np.where(self.shares < 1, 1 - self.shares, np.nan)
        cells = self._cells(contributions) / np.sqrt(rest)
        return np.add.reduceat(cells, self.first_cells, axis=-1)

    def variance(self, contributions: np.ndarray) -> float:
        """Variance of the sum of `contributions[image]`, which sum to 0 in each stratum."""
        return float((self.totals(contributions) ** 2).sum())

    def expected_variance(self, contributions: np.ndarray) -> float:
        """`variance` if the images of a stratum had one variance, and one correlation in clusters.

        Both are estimated. It is the steadier one where most clusters have no contribution.
        """
        return float(self._expected(contributions).sum())

    def freedom(self, contributions: np.ndarray) -> float:
        r"""Degrees of freedom of `variance`, $(\sum_g v_g)^2 (1 - \bar h) / \sum_g v_g^2$, over 1.

        $v_g$ is the part of cluster g in `expected_variance`, $\bar h$ the mean share of a cluster
        in its strata, both weighted by that part.
        """
        parts = self._expected(contributions)
        total = parts.sum()
        if not total > 0:
            return float(max(self.count - 1, 1))
        clusters = np.add.reduceat(parts, self.first_cells)
        unused = (parts * self.shares).sum() / total
        return float(max(total**2 / (clusters**2).sum() * (1 - unused), 1.0))

    def half_width(self, contributions: np.ndarray, level: float) -> float:
        """Half of the width of Student's interval of the sum of `contributions`."""
        t = special.stdtrit(self.freedom(contributions), (1 + level) / 2)
        return float(t * np.sqrt(self.variance(contributions)))

    def _cells(self, contributions: np.ndarray) -> np.ndarray:
        return np.add.reduceat(contributions[..., self.order], self.starts, axis=-1)

    def _expected(self, contributions: np.ndarray) -> np.ndarray:
        """Part of each cell in `expected_variance`."""
        kinds = np.repeat(self.strata, self.sizes)
        c = contributions[self.order]
        within = c - np.repeat(self._cells(contributions) / self.sizes, self.sizes)
        n, cells = np.bincount(kinds), np.bincount(self.strata)
        spread = np.bincount(kinds, c**2) / np.maximum(n - 1, 1)
        rest = np.bincount(kinds, within**2) / np.maximum(n - cells, 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where((n > cells) & (spread > 0), rest / spread, 1)
        icc = np.clip(1 - ratio, 0, 1)[self.strata]
        return spread[self.strata] * self.sizes * (1 + (self.sizes - 1) * icc)
