"""Host side of the released procedure: the five measures from pictures, maps and logits.

Crum et al. (2023), arXiv:2303.11969, with the libraries that were released with it: scikit-image
for noise, entropy and SSIM, SciPy for blurs, Pillow to enlarge maps. Each picture has 22 variants,
explained for the class predicted on each: 8 amounts of noise, 12 transforms, and blurs of the
background and of the object by the map of the clean picture.

The fifth measure compares maps of separately trained runs: it needs no pass of its own and is not
part of a task on a single network.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image
from scipy.stats import entropy
from skimage.measure import shannon_entropy
from skimage.metrics import structural_similarity

from peers.released_variants import (
    AMOUNTS,
    CONDITIONS,
    SHIFTS,
    STEP,
    TRANSFORMS,
    TURNS,
    degraded,
    noisy,
    transformed,
)

SIDE = 224  # of enlarged maps
# Number of statistics of a picture by the column of Salix, in order.
COLUMNS = {
    "histogram_entropy": 1,
    "spatial_entropy": 1,
    "paper_salt_and_pepper_similarity_repredicted": len(AMOUNTS),
    "paper_salt_and_pepper_area_repredicted": 1,
    "paper_salt_and_pepper_score": len(AMOUNTS),
    "paper_geometry_similarity_repredicted": TRANSFORMS,
    "paper_geometry_mean_repredicted": 1,
    "paper_geometry_score": TRANSFORMS,
    "paper_degradation_similarity_repredicted": len(CONDITIONS),
    "paper_degradation_score": len(CONDITIONS),
    "paper_degradation_change": len(CONDITIONS),
}


@dataclass(frozen=True)
class Prediction:
    """Map and logits of a picture."""

    cam: np.ndarray  # [h w], at least 0
    logits: np.ndarray

    @cached_property
    def scaled(self) -> np.ndarray | None:
        """Map in [0, 1], None if it is constant: the released script skips such a picture."""
        shifted = self.cam - self.cam.min()
        defined = np.isfinite(shifted).all() and shifted.max() > 0
        return shifted / shifted.max() if defined else None

    @property
    def score(self) -> float:
        """Sigmoid of the last logit."""
        return float(1 / (1 + np.exp(-np.float64(self.logits[-1]))))

    def enlarge(self, side: int = SIDE, turn: Callable[..., Any] = np.array) -> np.ndarray | None:
        """8-bit map, turned and enlarged; None if it is constant."""
        if self.scaled is None:
            return None
        small = np.ascontiguousarray(turn((255 * self.scaled).astype(np.uint8)))
        return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


@dataclass(frozen=True)
class PictureExplainer:
    """Explains 8-bit pictures [h w 3].

    `explain_again(picture, prediction)` is called for the reference mask of each degradation, for a
    picture that was explained before.
    """

    explain: Callable[[list[np.ndarray]], list[Prediction]]
    explain_again: Callable[[np.ndarray, Prediction], Prediction] = lambda picture, prediction: (
        prediction
    )


def measure_pictures(explainer: PictureExplainer, pictures: list[np.ndarray]) -> np.ndarray:
    """Statistics of pictures, [b statistics], named by `COLUMNS`."""
    variants = [[p, *noisy(p, i), *transformed(p)] for i, p in enumerate(pictures)]
    predictions = iter(explainer.explain([p for group in variants for p in group]))
    groups, conditions = [[next(predictions) for _ in group] for group in variants], []
    for picture, (clean, *_) in zip(pictures, groups, strict=True):
        low, high = (
            explainer.explain_again(picture, clean).enlarge(len(picture)) for _ in CONDITIONS
        )
        if low is None or high is None:
            conditions.append([])
        else:
            conditions.append([degraded(picture, low), degraded(picture, 255 - high)])
    predictions = iter(explainer.explain([p for group in conditions for p in group]))
    rows = zip(pictures, groups, conditions, strict=True)
    return np.stack([picture_statistics(*row, predictions) for row in rows])


def picture_statistics(
    picture: np.ndarray,
    predictions: list[Prediction],
    conditions: list[np.ndarray],
    degradations: Iterator[Prediction],
) -> np.ndarray:
    """Statistics of one picture; NaN where a map is constant."""
    clean, noise = predictions[0], predictions[1 : 1 + len(AMOUNTS)]
    transforms = predictions[1 + len(AMOUNTS) :]
    large, original = clean.enlarge(), clean.enlarge(len(picture))
    by_noise = [ssim(large, variant.enlarge()) for variant in noise]
    by_transform = [
        transform_similarity(original, i, variant, len(picture))
        for i, variant in enumerate(transforms)
    ]
    blurred = [next(degradations) for _ in conditions]
    by_blur = [ssim(large, variant.enlarge()) for variant in blurred]
    change = [np.abs(condition.astype(float) - picture).mean() / 255 for condition in conditions]
    degradation = [*by_blur, *(variant.score for variant in blurred), *change]
    parts = [
        entropies(clean),
        by_noise,
        [np.trapezoid(by_noise, AMOUNTS) / (AMOUNTS[-1] - AMOUNTS[0])],
        [variant.score for variant in noise],
        by_transform,
        [np.mean([s for s in by_transform if s == s] or [np.nan])],
        [variant.score for variant in transforms],
        degradation or [np.nan] * 3 * len(CONDITIONS),
    ]
    return np.concatenate([np.asarray(part, float) for part in parts])


def ssim(a: np.ndarray | None, b: np.ndarray | None) -> float:
    if a is None or b is None:
        return np.nan
    similarity: Any = structural_similarity(a, b)
    return float(similarity)


def transform_similarity(
    clean: np.ndarray | None, index: int, prediction: Prediction, side: int
) -> float:
    """SSIM of the clean map and the map of a transform, moved back, where both are defined.

    This comparison was not released.
    """
    if index < len(TURNS):
        return ssim(clean, prediction.enlarge(side, TURNS[index][1]))
    map, (dx, dy) = prediction.enlarge(side), (STEP * s for s in SHIFTS[index - len(TURNS)])
    if clean is None or map is None:
        return np.nan
    rows, columns = overlap(dy, side), overlap(dx, side)
    return ssim(clean[rows[0], columns[0]], map[rows[1], columns[1]])


def overlap(distance: int, side: int) -> tuple[slice, slice]:
    """Slices of the pixels that stay in the picture, before and after a shift."""
    low, high = max(-distance, 0), side - max(distance, 0)
    return slice(low, high), slice(low + distance, high + distance)


def entropies(clean: Prediction) -> list[float]:
    """Entropy of the map's grey values and of its pixels, each over its maximum."""
    if clean.scaled is None:
        return [np.nan, np.nan]
    small, mass = (255 * clean.scaled).astype(np.uint8), clean.scaled.ravel().astype(float)
    grey = float(shannon_entropy(small)) / np.log2(min(small.size, 256))
    return [grey, float(entropy(mass, base=2)) / np.log2(mass.size)]
