"""Alarm for small, tight concepts that one model relies on more than the other."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from salix.compare.concepts import Concepts


@dataclass(frozen=True)
class OddConcept:
    """Concept that may be an artefact of the data on which one model relies.

    `size`: its regions over the mean number of regions of a concept. `spread`: mean squared
    distance of its regions to their centre over that of all other concepts' regions. `balance`:
    (a - b) / (a + b) of the mean shares over images that contain it, in [-1, 1]. `p`: p-value of
    the sign test over these images, times the number of concepts. `images`: their number;
    `prevalence`: their share of all images.
    """

    concept: int
    size: float
    spread: float
    balance: float
    p: float
    images: int
    prevalence: float


def odd_concepts(
    embedding: Float[np.ndarray, "regions d"],
    concepts: Concepts,
    a: Float[np.ndarray, "images concepts"],
    b: Float[np.ndarray, "images concepts"],
    *,
    size: float = 1.0,
    spread: float = 0.5,
    balance: float = 1 / 3,
    level: float = 0.01,
) -> tuple[OddConcept, ...]:
    """Concepts that are small, tight and one-sided, the most one-sided first.

    Small: at most `size` times the mean number of regions. Tight: its regions lie at most at
    `spread` of the mean squared distance of the other concepts' to their centre: one object that
    is pasted, printed or burnt in looks the same everywhere, a thing of the world varies.
    One-sided: `balance` 1/3 says that one model gives it twice the share that the other does, and
    the sign test over images (Bonferroni over concepts) that this is not chance. `a` and `b` are
    the models' shares, NaN where an image does not contain the concept. Such a concept is a
    suspicion to look at, not a finding. Rare ones (low prevalence) may be tags of one source,
    frequent ones of one class. Swapping the models negates `balance` and changes nothing else.

    After spectral relevance analysis, where a strategy of this kind is a small dense group of
    heatmaps: Lapuschkin et al. (2019), doi:10.1038/s41467-019-08987-4.
    """
    from scipy.stats import binomtest

    squares = ((embedding - concepts.centres[concepts.labels]) ** 2).sum(1, dtype=np.float64)
    sizes = concepts.sizes
    within = np.bincount(concepts.labels, squares, concepts.count)
    odd = []
    for k, number in enumerate(sizes):
        rest = (within.sum() - within[k]) / max(sizes.sum() - number, 1)
        relative_spread = within[k] / number / rest if rest > 0 else 1.0
        contains = np.isfinite(a[:, k]) & np.isfinite(b[:, k])
        x, y = a[contains, k].astype(np.float64), b[contains, k].astype(np.float64)
        total = float(x.sum() + y.sum())
        if number > size * sizes.mean() or relative_spread > spread or total <= 0:
            continue
        wins, losses = int((x > y).sum()), int((x < y).sum())
        p = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
        concept = OddConcept(
            concept=k,
            size=float(number / sizes.mean()),
            spread=float(relative_spread),
            balance=float(x.sum() - y.sum()) / total,
            p=min(float(p) * concepts.count, 1.0),
            images=int(contains.sum()),
            prevalence=float(contains.mean()),
        )
        if abs(concept.balance) >= balance and concept.p <= level:
            odd.append(concept)
    return tuple(sorted(odd, key=lambda o: -abs(o.balance)))
