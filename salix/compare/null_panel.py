"""Noise floor of a comparison: differences of swapped models, and of reseeded runs."""

from dataclasses import dataclass

import numpy as np

from salix.compare.differences import FEW_IMAGES, FLIPS, ConceptDifference
from salix.stats import flipped_means


@dataclass(frozen=True, eq=False)
class SeedPair:
    """Two runs that differ by their training seed only, and their differences by concept."""

    a: str
    b: str
    differences: tuple[ConceptDifference, ...]

    @property
    def greatest(self) -> float:
        """Greatest |difference| of a concept in at least 10 images; of any, if none has as many."""
        return greatest_difference(self.differences)


@dataclass(frozen=True, eq=False)
class NullPanel:
    """Differences that two models would have by chance, in the units of the differences.

    - `observed`: the greatest |difference| of a concept, of those in at least 10 images;
    - `greatest` `[draws]`: the same, ascending, with the models swapped at random within images:
      the noise floor of the images. `p` is the share of them that reach the observed one;
    - `concept` `[concepts]`: |difference| that 95 % of the swaps stay below, by concept; NaN where
      no image has it;
    - `seeds`: pairs of reseeded runs of the group of either model, each with its differences: the
      noise floor of the training seed; empty where no run is reseeded.
    """

    observed: float
    greatest: np.ndarray
    concept: np.ndarray
    p: float
    seeds: tuple[SeedPair, ...] = ()

    @property
    def floor(self) -> float:
        """Greatest |difference| that 95 % of the swaps stay below; NaN without an image."""
        return float(np.quantile(self.greatest, 0.95)) if len(self.greatest) else float("nan")

    @property
    def seed_floor(self) -> np.ndarray:
        """Greatest |difference| `[concepts]` of reseeded runs; NaN where there are none."""
        sizes = [[abs(d.difference.value) for d in pair.differences] for pair in self.seeds]
        return np.fmax.reduce(sizes) if sizes else np.full(len(self.concept), np.nan)


def null_panel(
    differences: tuple[ConceptDifference, ...],
    values: np.ndarray,
    *,
    clusters: np.ndarray | None = None,
    seeds: tuple[SeedPair, ...] = (),
    draws: int = FLIPS,
    seed: int = 0,
) -> NullPanel:
    """Noise floor of `differences`, from the values `[image concept]` that they are the means of.

    The models are swapped within images, or within `clusters` of dependent images.
    """
    flips = np.abs(flipped_means(values, draws=draws, seed=seed, clusters=clusters))
    images = np.array([d.images for d in differences])
    ranked = images >= FEW_IMAGES if (images >= FEW_IMAGES).any() else images > 0
    observed = greatest_difference(differences)
    greatest = np.sort(flips[:, ranked].max(1)) if ranked.any() else np.zeros(0, np.float32)
    hits = int((greatest >= observed * (1 - 1e-6)).sum())
    concept = np.where(images > 0, np.quantile(flips, 0.95, axis=0), np.nan)
    p = (1 + hits) / (1 + draws) if ranked.any() else float("nan")
    return NullPanel(observed, greatest, concept.astype(np.float64), p, seeds)


def greatest_difference(differences: tuple[ConceptDifference, ...]) -> float:
    """Greatest |difference| of a concept in at least 10 images; of any, if none has as many."""
    sizes = [(d.images >= FEW_IMAGES, abs(d.difference.value)) for d in differences if d.images]
    return max(sizes)[1] if sizes else float("nan")
