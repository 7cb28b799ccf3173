"""The released procedure of the five measures: what the host makes of pictures, maps and logits.

Crum et al. (2023), arXiv:2303.11969, with the libraries that were released with it: scikit-image
for noise, entropy and SSIM, SciPy for blurs, Pillow to enlarge maps. Of each picture 22 variants
are explained, each for the class predicted on it: 8 amounts of noise, 12 transforms, and the blur
of the background and of the object, by the map of the clean picture.

The fifth measure compares the maps of runs that were trained apart. It takes no pass of its own,
and is in no task of a single network.
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

from peers.released_pictures import (
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

SIDE = 224  # that maps are enlarged to
# The numbers of a picture, in order, by the columns of Salix that they are.
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
class Seen:
    """What a network made of a picture."""

    cam: np.ndarray  # [h w], at least 0
    logits: np.ndarray

    @cached_property
    def scaled(self) -> np.ndarray | None:
        """The map in [0, 1], None where it is constant: the released script skips such a picture."""
        above = self.cam - self.cam.min()
        alive = np.isfinite(above).all() and above.max() > 0
        return above / above.max() if alive else None

    @property
    def score(self) -> float:
        """The sigmoid of the last logit."""
        return float(1 / (1 + np.exp(-np.float64(self.logits[-1]))))

    def large(self, side: int = SIDE, turn: Callable[..., Any] = np.array) -> np.ndarray | None:
        """Return the map in 8 bits, turned and enlarged; None where it is constant."""
        if self.scaled is None:
            return None
        small = np.ascontiguousarray(turn((255 * self.scaled).astype(np.uint8)))
        return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


@dataclass(frozen=True)
class Eye:
    """What looks at pictures [h w 3] of 8 bits.

    `again(picture, seen)` gives what an condition of the degradation is guided by, of a picture that was
    seen before.
    """

    look: Callable[[list[np.ndarray]], list[Seen]]
    again: Callable[[np.ndarray, Seen], Seen] = lambda picture, seen: seen


def procedure(eye: Eye, pictures: list[np.ndarray]) -> np.ndarray:
    """Return the numbers of pictures, [b numbers], as `COLUMNS` names them."""
    first = [[p, *noisy(p, at), *transformed(p)] for at, p in enumerate(pictures)]
    seen = iter(eye.look([p for group in first for p in group]))
    groups, conditions = [[next(seen) for _ in group] for group in first], []
    for picture, (clean, *_) in zip(pictures, groups, strict=True):
        low, high = (eye.again(picture, clean).large(len(picture)) for _ in CONDITIONS)
        if low is None or high is None:
            conditions.append([])
        else:
            conditions.append([degraded(picture, low), degraded(picture, 255 - high)])
    seen = iter(eye.look([p for group in conditions for p in group]))
    each = zip(pictures, groups, conditions, strict=True)
    return np.stack([numbers(*of, seen) for of in each])


def numbers(
    picture: np.ndarray, seen: list[Seen], conditions: list[np.ndarray], after: Iterator[Seen]
) -> np.ndarray:
    """Return the numbers of one picture; NaN where a map is constant."""
    clean, noise, moved = seen[0], seen[1 : 1 + len(AMOUNTS)], seen[1 + len(AMOUNTS) :]
    large, wide = clean.large(), clean.large(len(picture))
    by_noise = [ssim(large, variant.large()) for variant in noise]
    by_move = [follows(wide, at, variant, len(picture)) for at, variant in enumerate(moved)]
    degraded = [next(after) for _ in conditions]
    by_blur = [ssim(large, variant.large()) for variant in degraded]
    change = [np.abs(condition.astype(float) - picture).mean() / 255 for condition in conditions]
    of_blur = [*by_blur, *(variant.score for variant in degraded), *change]
    found = [
        entropies(clean),
        by_noise,
        [np.trapezoid(by_noise, AMOUNTS) / (AMOUNTS[-1] - AMOUNTS[0])],
        [variant.score for variant in noise],
        by_move,
        [np.mean([s for s in by_move if s == s] or [np.nan])],
        [variant.score for variant in moved],
        of_blur or [np.nan] * 3 * len(CONDITIONS),
    ]
    return np.concatenate([np.asarray(part, float) for part in found])


def ssim(a: np.ndarray | None, b: np.ndarray | None) -> float:
    if a is None or b is None:
        return np.nan
    found: Any = structural_similarity(a, b)
    return float(found)


def follows(clean: np.ndarray | None, at: int, seen: Seen, side: int) -> float:
    """Return how alike the map of a transform, brought back, is to the clean one, where both are.

    This comparison was not released.
    """
    if at < len(TURNS):
        return ssim(clean, seen.large(side, TURNS[at][1]))
    (map, (dx, dy)) = seen.large(side), (STEP * step for step in SHIFTS[at - len(TURNS)])
    if clean is None or map is None:
        return np.nan
    rows, columns = overlap(dy, side), overlap(dx, side)
    return ssim(clean[rows[0], columns[0]], map[rows[1], columns[1]])


def overlap(distance: int, side: int) -> tuple[slice, slice]:
    """Return the places before, and after a shift, of what is shown both times."""
    low, high = max(-distance, 0), side - max(distance, 0)
    return slice(low, high), slice(low + distance, high + distance)


def entropies(clean: Seen) -> list[float]:
    """Return the entropy of the map's grey values, and of its cells, each over the greatest."""
    if clean.scaled is None:
        return [np.nan, np.nan]
    small, mass = (255 * clean.scaled).astype(np.uint8), clean.scaled.ravel().astype(float)
    grey = float(shannon_entropy(small)) / np.log2(min(small.size, 256))
    return [grey, float(entropy(mass, base=2)) / np.log2(mass.size)]
