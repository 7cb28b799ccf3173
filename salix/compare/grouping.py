"""k-means of regions, subsets of images, and the agreement of two partitions."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Integer

RegionValues = Float[np.ndarray, "regions d"]
RegionLabels = Integer[np.ndarray, " regions"]


def canonical_order(values: RegionValues) -> RegionLabels:
    """Order of the regions by value, so that results do not depend on the order of the input."""
    return np.lexsort(values.T[::-1])


def distinct_values(values: RegionValues) -> int:
    """Number of distinct rows of values in canonical order."""
    return 1 + int((values[1:] != values[:-1]).any(1).sum())


def group(
    values: RegionValues,
    count: int,
    seed: int,
    *,
    restarts: int = 1,
    centres: np.ndarray | None = None,
) -> Any:
    """Fit k-means: k-means++ with restarts, or Lloyd's iterations from `centres`.

    One thread, because the sums of several threads are added in an order that varies. With fewer
    regions than groups every region is a group. Returns scikit-learn's estimator.

    Arthur and Vassilvitskii (2007), k-means++, SODA.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    count = min(count, len(values))
    start: Any = "k-means++" if centres is None else centres
    runs: Any = restarts
    model = KMeans(count, init=start, n_init=runs, random_state=seed, max_iter=100)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # repeated regions: an empty group
        return model.fit(values)


def image_codes(image: RegionLabels) -> RegionLabels:
    """Codes of images 0, 1, … in the order of their first region."""
    _, first, codes = np.unique(image, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[codes]


def sample_images(
    codes: RegionLabels, most: int, rng: np.random.Generator
) -> Bool[np.ndarray, " regions"]:
    """Mask of the regions of randomly drawn images, at most `most` regions, at least one image."""
    regions = np.bincount(codes)
    drawn = rng.permutation(len(regions))
    fits = np.cumsum(regions[drawn]) <= most
    fits[0] = True
    chosen = np.zeros(len(regions), bool)
    chosen[drawn[fits]] = True
    return chosen[codes]


def half_samples(
    codes: RegionLabels, times: int, seed: int
) -> Iterator[Bool[np.ndarray, " regions"]]:
    """Yield masks of the regions of a random half of the images, rounded up."""
    rng = np.random.default_rng([seed, times])
    images = int(codes.max()) + 1
    for _ in range(times):
        chosen = np.zeros(images, bool)
        chosen[rng.permutation(images)[: (images + 1) // 2]] = True
        yield chosen[codes]


def agreement(a: RegionLabels, b: RegionLabels) -> float:
    """Adjusted Rand index of two partitions: 1 for the same, 0 expected by chance.

    Hubert and Arabie (1985), Comparing partitions, eq. 5.
    """
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(a, b))


def mean_agreements(partitions: list[np.ndarray]) -> Float[np.ndarray, " partitions"]:
    """Mean adjusted Rand index of each partition with the others."""
    table = np.array([[agreement(a, b) for b in partitions] for a in partitions])
    others = len(partitions) - 1
    return (table.sum(1) - table.diagonal()) / others


def best_jaccard(
    labels: RegionLabels, others: RegionLabels, count: int
) -> Float[np.ndarray, " concepts"]:
    r"""Largest Jaccard index of each group with any group of another partition, in [0, 1].

    $\max_l |C_k \cap D_l| / |C_k \cup D_l|$ for `count` groups $C_k$; NaN for an empty one.

    Hennig (2007), Cluster-wise assessment of cluster stability, sec. 2.
    """
    table = np.zeros((count, int(others.max()) + 1))
    np.add.at(table, (labels, others), 1)
    union = table.sum(1, keepdims=True) + table.sum(0) - table
    best = (table / np.maximum(union, 1)).max(1)
    return np.where(table.sum(1) > 0, best, np.nan)
