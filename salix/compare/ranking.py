"""Stability of the order of concepts over resampled images."""

from dataclasses import dataclass

import numpy as np

from salix.compare.differences import FEW_IMAGES, ConceptDifference, rank_concepts
from salix.stats import resampled_means

TOP = 5


@dataclass(frozen=True)
class RankingStability:
    """Overlap of the concepts of the greatest |difference| with those of resampled images.

    `top` are the first 5 concepts of the ranking (all, where there are fewer), `overlap` the mean
    share of them that a resample has among its first 5, in [0, 1], and `least` the share that 95 %
    of the resamples reach; `first` is the share of resamples with the same first concept. By chance
    the overlap is `chance`, the number of `top` over that of the ranked concepts.
    """

    top: tuple[int, ...]
    overlap: float
    least: float
    first: float
    chance: float


def ranking_stability(
    differences: tuple[ConceptDifference, ...],
    values: np.ndarray,
    *,
    clusters: np.ndarray | None = None,
    draws: int = 500,
    seed: int = 0,
) -> RankingStability:
    """Stability of `rank_concepts` over `draws` resamples of the images, or of their `clusters`.

    `values` `[image concept]` are those that `differences` are the means of. NaN without an image.
    """
    images = np.array([d.images for d in differences])
    order = rank_concepts(np.array([d.difference.value for d in differences]), images)
    ranked = order[images[order] >= FEW_IMAGES] if (images >= FEW_IMAGES).any() else order
    ranked = ranked[images[ranked] > 0]
    if not len(ranked):
        nan = float("nan")
        return RankingStability((), nan, nan, nan, nan)
    top = ranked[:TOP]
    means = resampled_means(values[:, ranked], draws=draws, seed=seed, clusters=clusters)
    size = np.where(np.isfinite(means), np.abs(means), -1)
    places = np.argsort(-size, axis=1, kind="stable")[:, : len(top)]
    overlap = (places < len(top)).mean(1)  # the columns are in order of the ranking
    return RankingStability(
        tuple(int(k) for k in top),
        float(overlap.mean()),
        float(np.quantile(overlap, 0.05, method="lower")),
        float((places[:, 0] == 0).mean()),
        len(top) / len(ranked),
    )
