"""Fall of a model's score where the regions of a concept are masked, against its share."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from salix.compare.differences import ConceptDifference, select_images
from salix.stats import Interval, joint_limits, mean_interval, resampled_means

Outcome = Literal["confirmed", "contradicted", "unclear", "not measured"]


@dataclass(frozen=True)
class CausalCheck:
    r"""Change of the score of two models when a region of a concept is masked.

    The drop of region r is $f(x) - f(x \text{ with r filled})$, and its unit the model's mean
    |drop| over all regions of the comparison, so that a multiple of the logits changes nothing:
    1 is as much as an average region. For shares of |attribution| the drop counts with the sign of
    the model's attribution in the region, which says whether masking lowers or raises the score. Of
    an image the mean over its regions of the concept counts.

    - `a`, `b`: the models' mean drops in this unit, over the images that contain the concept;
    - `excess`: that of the model with the larger share (`credited`, 0 or 1) less that of the other,
      with an interval over images or clusters. The unit counts as known;
    - `outcome`: "confirmed" where the interval lies above 0: what has the larger share of the
      attribution also changes the score more; "contradicted" where it lies below, "unclear" where
      it holds 0, "not measured" without drops or without a credited model.
    """

    concept: int
    credited: int
    a: Interval
    b: Interval
    excess: Interval

    @property
    def outcome(self) -> Outcome:
        """Whether masking agrees with the difference in share."""
        if self.credited < 0 or not np.isfinite(self.excess.value):
            return "not measured"
        if self.excess.low > 0:
            return "confirmed"
        return "contradicted" if self.excess.high < 0 else "unclear"


def concept_drops(
    drop: np.ndarray, image: np.ndarray, concept: np.ndarray, images: int, count: int
) -> np.ndarray:
    """Mean drop `[models images concepts]`, in units of the model's mean |drop|.

    `drop` `[models regions]`, with the `image` and the `concept` of each region (-1 for none); NaN
    where an image has no region of a concept with a finite drop, and for a model whose score no
    region changes.
    """
    sums = np.full((len(drop), images, count), np.nan)
    for m, values in enumerate(np.asarray(drop, np.float64)):
        finite = np.isfinite(values)
        unit = np.abs(values[finite]).mean() if finite.any() else 0.0
        if unit == 0:
            continue
        own = finite & (np.asarray(concept) >= 0)
        place = np.asarray(image)[own].astype(np.int64) * count + np.asarray(concept)[own]
        total = np.bincount(place, values[own], images * count)
        n = np.bincount(place, minlength=images * count)
        with np.errstate(invalid="ignore"):
            sums[m] = (total / n / unit).reshape(images, count)
    return sums


def causal_checks(
    differences: tuple[ConceptDifference, ...],
    a: np.ndarray,
    b: np.ndarray,
    *,
    clusters: np.ndarray | None = None,
    images: np.ndarray | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[CausalCheck, ...]:
    """Compare the drops `a` and `b` `[image concept]` of two models, concept by concept.

    `differences` are those of the same models in share, over the same `images`.
    """
    first, second, codes = select_images(a, b, clusters, images)
    signs = np.array([{0: 1.0, 1: -1.0, -1: np.nan}[d.credited] for d in differences])
    excess = (first - second) * signs
    means = resampled_means(excess, draws=2000 if codes is None else 1, seed=seed, clusters=codes)
    limits = joint_limits(excess, means, level=level, seed=seed, clusters=codes)
    own_a, own_b = (
        [mean_interval(column, level=level, clusters=codes) for column in x.T]
        for x in (first, second)
    )
    return tuple(
        CausalCheck(d.concept, d.credited, of_a, of_b, interval)
        for d, of_a, of_b, interval in zip(differences, own_a, own_b, limits, strict=True)
    )
