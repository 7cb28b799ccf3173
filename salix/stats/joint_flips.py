"""Sign flips of several paired differences at once: one set of swaps for all tests.

The same models are swapped in the same images for every test, so that the dependence of the tests
is preserved and the distribution of the greatest difference over the tests is defined.
"""

from typing import Any

import numpy as np

from salix.stats.clusters import cluster_codes
from salix.stats.permutation import FEW_CLUSTERS, sign_flip_test

EXACT = 14  # independent units; of fewer, all swaps are counted by `sign_flip_test`
NEAR = 1e-5  # single precision: means this close, in standard deviations of the swaps, are tied


def unit_sums(values: np.ndarray, clusters: Any) -> np.ndarray:
    """Sums `[unit test]` of `values[image test]` over clusters; the values of independent images.

    NaN and infinite values count as 0.
    """
    filled = np.where(np.isfinite(values), values, 0)
    codes = cluster_codes(clusters, len(filled))
    if codes is None:
        return filled
    return np.stack([np.bincount(codes, column) for column in filled.T], axis=1)


def flipped_means(
    differences: Any, *, draws: int = 10_000, seed: int = 0, clusters: Any = None
) -> np.ndarray:
    r"""Means `[draw test]` of `differences[image test]` after random swaps of two models.

    $\sum_i s_i d_{it} / n_t$ with signs $s_i = \pm 1$ drawn once for an image (for a cluster of
    dependent images, where `clusters[image]` names them) and used in every test, over the $n_t$
    images with a value. NaN in `differences` is an image without a value; NaN for a test without an
    image. Single precision; two models of equal values have zeros.
    """
    d = np.asarray(differences, np.float64)
    n = np.isfinite(d).sum(0)
    sums = unit_sums(d, clusters)
    units = len(sums)
    # Units that no test has a value in would only take up draws.
    sums = sums[(sums != 0).any(1)].astype(np.float32)
    total, rng = sums.sum(0), np.random.default_rng(seed)
    means = np.empty((draws, d.shape[1]), np.float32)
    rows = max(1, 2**22 // max(units, 1))
    for start in range(0, draws, rows):
        size = (min(rows, draws - start), len(sums))
        bits = np.frombuffer(rng.bytes(-(-size[0] * size[1] // 8)), np.uint8)
        flips = np.unpackbits(bits, count=size[0] * size[1]).reshape(size).astype(np.float32)
        means[start : start + size[0]] = total - 2 * (flips @ sums)
    with np.errstate(invalid="ignore"):
        return means / np.where(n, n, np.nan).astype(np.float32)


def joint_flip_p(
    differences: Any, flips: np.ndarray, *, clusters: Any = None, seed: int = 0
) -> np.ndarray:
    """Two-sided p-values `[test]` of mean differences of 0, from the means of `flipped_means`.

    As `sign_flip_test` of each test: the proportion of the draws, the observed one among them, with
    a mean at least as far from 0. Tests of fewer than 14 images or clusters that differ are
    `sign_flip_test` itself, which counts all swaps or, of few clusters, is Student's. NaN for a
    test without an image, or with a single cluster.
    """
    d = np.asarray(differences, np.float64)
    known, codes = np.isfinite(d), cluster_codes(clusters, len(d))
    sums = unit_sums(d, codes)
    n, units = known.sum(0), (sums != 0).sum(0)
    few = (n > 0) & (units < max(EXACT, FEW_CLUSTERS))
    with np.errstate(invalid="ignore", divide="ignore"):
        edge = np.abs(sums.sum(0) / n) - NEAR * np.sqrt((sums**2).sum(0)) / n
        hits = (np.abs(flips) >= edge).sum(0)
    p = np.where(n > 0, (1 + hits) / (1 + len(flips)), np.nan)
    for test in np.flatnonzero(few):
        x = d[:, test]
        p[test] = sign_flip_test(x, np.zeros(len(x)), seed=seed, clusters=codes)
    return p
