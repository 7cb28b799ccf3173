"""Stability of salience maps across training runs, from stored 8-bit maps."""

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from jaxtyping import Float, Int

from salix.analysis.map_similarity import SimilarityKind, StoredMaps, similarities
from salix.typing import InputError


@dataclass(frozen=True, eq=False)
class Stability:
    """Similarity of the maps of runs, pair by pair and image by image.

    `values` [pairs images] belong to `pairs`, each a row and a column of `mean`, the mean of each
    pair over images: [runs runs], symmetric with 1 on the diagonal, or the runs of one group by
    those of the other. `per_image` is the mean over pairs. Undefined values are NaN and left out of
    means; `undefined` counts them for each pair, `constant_map` the constant maps of each run (of
    the second group after those of the first).
    """

    pairs: tuple[tuple[int, int], ...]
    values: Float[np.ndarray, "pairs images"]
    mean: Float[np.ndarray, "rows columns"]
    per_image: Float[np.ndarray, " images"]
    undefined: Int[np.ndarray, " pairs"]
    constant_map: Int[np.ndarray, " runs"]


def stability(maps: StoredMaps, *, kind: SimilarityKind = "ssim", window: int = 7) -> Stability:
    r"""Compare the maps of all pairs of runs that differ by their training seed.

    `maps` [run image *grid] are 8-bit, image for image the same. By "ssim" over uniform windows,
    $\frac{(2\mu_a\mu_b + C_1)(2 s_{ab} + C_2)}{(\mu_a^2 + \mu_b^2 + C_1)(s_a^2 + s_b^2 + C_2)}$
    with sample covariances, $C_1 = 2.55^2$, $C_2 = 7.65^2$, in the largest odd `window` that fits,
    7 as published: one for a map of 7 x 7 pixels, else their mean; by "pearson" or "spearman" over
    all pixels. Range [-1, 1], higher is more stable; equal maps have exactly 1. A constant map
    gives NaN. Pairs share runs: resample runs, not pairs. Raises `InputError` for fewer than two
    runs, maps of another type, and an SSIM on a grid below 3 pixels or by a window of more than 362
    pixels (19 x 19).

    Crum et al. (2023), arXiv:2303.11969, salience stability across training runs.
    """
    if len(maps) < 2:
        raise InputError(f"{len(maps)} run: give the maps of two or more")
    pairs = tuple(combinations(range(len(maps)), 2))
    values, constant_map = similarities([maps], pairs, kind, window)
    mean = np.eye(len(maps))
    for (i, j), value in zip(pairs, _mean(values, axis=1), strict=True):
        mean[i, j] = mean[j, i] = value
    return _gather(pairs, values, mean, constant_map)


def cross_stability(
    a: StoredMaps, b: StoredMaps, *, kind: SimilarityKind = "ssim", window: int = 7
) -> Stability:
    """Compare each run of one group with each run of another, over the same images.

    As `stability`, with `mean` [runs of a, runs of b]. Raises `InputError` also for a group without
    runs, and where the groups differ in images or grid.
    """
    if not (len(a) and len(b)):
        raise InputError(f"groups of {len(a)} and {len(b)} runs: give at least one of each")
    if a.shape[1:] != b.shape[1:]:
        raise InputError(f"maps {a.shape} and {b.shape}: give the same images on the same grid")
    pairs = tuple(product(range(len(a)), range(len(b))))
    values, constant_map = similarities(
        [a, b], tuple((i, len(a) + j) for i, j in pairs), kind, window
    )
    return _gather(pairs, values, _mean(values, axis=1).reshape(len(a), len(b)), constant_map)


def _gather(
    pairs: tuple[tuple[int, int], ...],
    values: np.ndarray,
    mean: np.ndarray,
    constant_map: np.ndarray,
) -> Stability:
    undefined = np.isnan(values).sum(axis=1)
    return Stability(pairs, values, mean, _mean(values, axis=0), undefined, constant_map)


def _mean(values: Float[np.ndarray, "pairs images"], axis: int) -> Float[np.ndarray, " remaining"]:
    """Return the means of defined values, NaN where there is none."""
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0).sum(axis=axis, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
