r"""Tests of scores against two classes by exchanging the labels of clusters of dependent images.

The exchanged units are the parts of the clusters in one class. Clusters of a single class exchange
their labels among each other; in a cluster of both classes, such as the real and the forged video
of one person, its two parts swap theirs. So images of one cluster and class stay together, and the
level is exact where labels and scores are independent, however the images of a cluster depend.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from salix.stats.clusters import cluster_codes
from salix.typing import InputError

CHUNK = 2**22  # labels of units that are drawn at once
NEAR = 1e-9


@dataclass(frozen=True, eq=False)
class LabelExchange:
    """Units of images whose labels are exchanged: `unit[image]`, and of each unit its class.

    `paired` are the units of clusters of both classes, two of one cluster after each other.
    """

    unit: np.ndarray
    labels: np.ndarray
    paired: np.ndarray

    @staticmethod
    def of(labels: np.ndarray, clusters: Any = None) -> "LabelExchange":
        """Return the units of images with `labels[image]` 0 or 1; see `cluster_codes`."""
        codes = cluster_codes(clusters, len(labels))
        own = np.arange(len(labels)) if codes is None else codes
        cells, unit = np.unique(2 * own + labels, return_inverse=True)
        twice = np.bincount(cells // 2)[cells // 2] == 2
        return LabelExchange(unit.reshape(len(labels)), cells % 2, twice)

    @property
    def least_p(self) -> float:
        """Smallest p-value of any scores: twice the inverse of the number of exchanges."""
        single = self.labels[~self.paired]
        n, m = len(single), int(single.sum())
        ways = special.gammaln(n + 1) - special.gammaln(m + 1) - special.gammaln(n - m + 1)
        return float(min(1.0, 2 * np.exp(-ways - np.log(2) * self.paired.sum() / 2)))

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return labels `[draw unit]` of random exchanges."""
        drawn = np.tile(self.labels.astype(np.int8), (count, 1))
        drawn[:, ~self.paired] = rng.permuted(drawn[:, ~self.paired], axis=1)
        swaps = rng.integers(0, 2, (count, int(self.paired.sum()) // 2), np.int8)
        drawn[:, self.paired] ^= np.repeat(swaps, 2, axis=1)
        return drawn


def exchange_p(
    scores: Any,
    labels: Any,
    *,
    clusters: Any = None,
    draws: int = 9999,
    seed: int = 0,
    one_sided: bool = False,
) -> np.ndarray:
    r"""P-values `[score]` of areas under the ROC curve of 1/2, by exchanging labels of clusters.

    `scores[image, score]`, `labels[image]` 0 or 1, `clusters[image]` as for `auc_interval`. The
    share of random exchanges (`LabelExchange`), and the observed labels, whose
    $|A - 1/2| \sqrt{m n}$ is at least the observed one; without the modulus if `one_sided`, for
    scores whose direction is known. Not below `LabelExchange.least_p`. Images without a finite
    score are left out, score by score; NaN where a class has none. Raises `InputError` for other
    labels or lengths that differ.
    """
    s, y = np.asarray(scores, np.float64), np.asarray(labels)
    if s.ndim != 2 or y.shape != s.shape[:1] or not np.isin(y, (0, 1)).all():
        raise InputError(f"scores {s.shape}, labels {y.shape}: give each image a label, 0 or 1")
    known, p = np.isfinite(s), np.full(s.shape[1], np.nan)
    codes = cluster_codes(clusters, len(y))
    patterns, kinds = np.unique(known, axis=1, return_inverse=True)
    for kind, pattern in enumerate(patterns.T):
        if len(np.unique(y[pattern])) == 2:
            columns = np.flatnonzero(kinds.reshape(-1) == kind)
            exchange = LabelExchange.of(y[pattern], None if codes is None else codes[pattern])
            values = s[np.ix_(pattern, columns)]
            p[columns] = _shares(exchange, values, draws, seed, one_sided)
    return p


def _shares(
    exchange: LabelExchange, scores: np.ndarray, draws: int, seed: int, one_sided: bool
) -> np.ndarray:
    centred = stats.rankdata(scores, axis=0) - (len(scores) + 1) / 2
    sizes = np.bincount(exchange.unit).astype(np.float64)
    sums = np.stack([np.bincount(exchange.unit, column) for column in centred.T], axis=1)
    rng = np.random.default_rng(seed)
    least = _statistics(exchange.labels[None], sums, sizes, one_sided)[0]
    least = least - NEAR * np.maximum(np.abs(least), 1)
    beyond, left = np.zeros(scores.shape[1]), draws
    while left:
        count = min(left, max(1, CHUNK // len(sizes)))
        drawn = exchange.draw(count, rng)
        beyond += (_statistics(drawn, sums, sizes, one_sided) >= least).sum(0)
        left -= count
    return np.maximum((1 + beyond) / (1 + draws), exchange.least_p)


def _statistics(
    labels: np.ndarray, sums: np.ndarray, sizes: np.ndarray, one_sided: bool
) -> np.ndarray:
    """Return $(A - 1/2) \\sqrt{m n}$ `[draw score]`; infinite for a draw of one class alone."""
    own = labels.astype(np.float64)
    m = own @ sizes
    products = m * (sizes.sum() - m)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = own @ sums / np.sqrt(products)[:, None]
    statistic[products == 0] = np.inf
    return statistic if one_sided else np.abs(statistic)
