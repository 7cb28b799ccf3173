"""Paired differences of two models in the share of their attribution on each concept."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.stats import (
    Interval,
    benjamini_hochberg,
    cluster_codes,
    flipped_means,
    joint_flip_p,
    joint_limits,
    mean_interval,
    resampled_means,
)
from salix.typing import InputError

DRAWS = 2000  # resamples of an interval
FLIPS = 10_000  # random swaps of the two models; the smallest p is one in as many
FEW_IMAGES = 10  # concepts in fewer images stand behind the others in a ranking


@dataclass(frozen=True)
class ConceptDifference:
    r"""Difference of two models in one concept: the first model less the second.

    With $u_i^m$ the share of image i's attribution by model m on the concept, in [0, 1]
    (in another unit where the scale is not "share"):

    - `concept`: its index, from 0;
    - `a`, `b`: the models' means of u over the images that contain the concept, with intervals;
    - `difference`: the mean of $u_i^a - u_i^b$ over these images, with an interval over images, or
      over clusters of dependent images. Its `n` counts the images, `clusters` their clusters;
    - `p`: probability of a mean difference as far from 0 when the models are swapped at random
      within images; `q`: p adjusted over all concepts for false discoveries (Benjamini-Hochberg).
      NaN where nothing can be tested: no image, or a single cluster;
    - `images`: images that contain the concept; `prevalence`: their share of all images, in [0, 1];
    - `contribution`: prevalence times difference, the mean over all images, where an image
      without the concept counts as 0.
    """

    concept: int
    a: Interval
    b: Interval
    difference: Interval
    p: float
    q: float
    images: int
    prevalence: float
    contribution: float
    level: float = 0.95

    @property
    def significant(self) -> bool:
        """Whether q is at most 1 - `level`: a difference of these two models on other images."""
        return bool(self.q <= 1 - self.level + 1e-12)

    @property
    def credited(self) -> int:
        """Model with the larger share: 0 for the first, 1 for the second, -1 for neither."""
        value = self.difference.value
        return -1 if not value or np.isnan(value) else int(value < 0)


def concept_differences(
    a: Any,
    b: Any,
    *,
    clusters: Any = None,
    images: Any = None,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[ConceptDifference, ...]:
    """Compare two models in every concept, by shares `a` and `b` `[image concept]`.

    NaN is an image without the concept, or a model without a value for it: only images where both
    have one count. `images` selects the images (a mask or indices), `clusters[image]` names the
    cluster of dependent images of each. Intervals are BCa over resampled images, or Student's over
    clusters; p is by `FLIPS` random swaps of the models, the same for all concepts. Swapping `a`
    and `b` negates every number to the bit, and equal models have differences of exactly 0 with
    p = 1. Raises `InputError` for arrays of other shapes.
    """
    first, second, codes = select_images(a, b, clusters, images)
    d = first - second
    flips = flipped_means(d, draws=FLIPS, seed=seed, clusters=codes)
    p = joint_flip_p(d, flips, clusters=codes, seed=seed)
    # Limits of clustered images come from no resamples.
    size = draws if codes is None else 1
    means = resampled_means(d, draws=size, seed=seed, clusters=codes)
    limits = joint_limits(d, means, level=level, seed=seed, clusters=codes)
    known, total = np.isfinite(d), len(d)
    differences = []
    for k, (interval, q) in enumerate(zip(limits, benjamini_hochberg(p), strict=True)):
        own = (np.where(known[:, k], x[:, k], np.nan) for x in (first, second))
        of_a, of_b = (mean_interval(x, level=level, clusters=codes) for x in own)
        n = interval.n
        prevalence = n / total if total else np.nan
        contribution = prevalence * interval.value if n else 0.0 if total else np.nan
        numbers = (float(p[k]), float(q), n, prevalence, contribution, level)
        differences.append(ConceptDifference(k, of_a, of_b, interval, *numbers))
    return tuple(differences)


def select_images(
    a: Any, b: Any, clusters: Any, images: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Shares of two models on some images, NaN where either has none, and cluster codes."""
    first, second = (np.asarray(x, np.float64) for x in (a, b))
    if first.shape != second.shape or first.ndim != 2:
        raise InputError(
            f"shares of shape {first.shape} and {second.shape}: give [image concept] of two models "
            "over the same images"
        )
    known = np.isfinite(first) & np.isfinite(second)
    first, second = (np.where(known, x, np.nan) for x in (first, second))
    codes = cluster_codes(clusters, len(first))
    if images is None:
        return first, second, codes
    chosen = np.asarray(images)
    if chosen.dtype == bool and chosen.shape != (len(first),):
        raise InputError(f"a mask of shape {chosen.shape} for {len(first)} images: give one each")
    codes = None if codes is None else codes[chosen]
    first, second = first[chosen], second[chosen]
    return first, second, cluster_codes(codes, len(first))


def rank_concepts(differences: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Order `[concept]` of `differences[concept]`, the greatest in size first.

    Concepts in fewer than `FEW_IMAGES` of the `images[concept]` come after the others, those
    without an image last.
    """
    size = np.where(np.isfinite(differences), np.abs(differences), -1)
    return np.lexsort((np.arange(len(size)), -size, np.asarray(images) < FEW_IMAGES))
