"""Alarm for small, tight concepts that one model relies on more than the other."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from salix.compare.concepts import Concepts


@dataclass(frozen=True)
class OddConcept:
    """Concept that may be an artefact of the data on which one model relies.

    `size`: its regions over the mean number of regions of a concept. `spread`: mean over its
    regions of the distance to its centre over that to the nearest other centre, in [0, 1].
    `balance`: (a - b) / (a + b) of the mean shares over images that contain it, in [-1, 1]. `p`:
    p-value of the sign test over these images, times the number of concepts. `images`: their
    number; `prevalence`: their share of all images.
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
    most: float = 0.1,
    spread: float = 0.5,
    balance: float = 1 / 3,
    level: float = 0.01,
) -> tuple[OddConcept, ...]:
    """Concepts that are small, tight and one-sided, the most one-sided first.

    Small: at most `most` of all regions. Tight: `spread` at most 1/2, which is 1 minus the
    simplified silhouette; from 0.5 Kaufman and Rousseeuw (1990) call a group's structure
    reasonable. k-means of one cloud has about 0.87; concepts of photographs have 0.5 to 0.85, a
    pasted square of one colour 0.42: one object that is pasted, printed or burnt in looks the same
    everywhere, a thing of the world varies. One-sided: `balance` 1/3 is twice the share, and the
    sign test over images (Bonferroni over concepts) excludes chance at `level`. `a` and `b` are the
    models' shares, NaN where an image does not contain the concept.

    Such a concept is a suspicion to look at, not a finding. Rare ones (low prevalence) may be tags
    of one source, frequent ones of one class. Swapping the models negates `balance` and changes
    nothing else. After spectral relevance analysis, which looks for small dense groups of heatmaps
    apart from the others: Lapuschkin et al. (2019), doi:10.1038/s41467-019-08987-4.
    """
    from scipy.stats import binomtest

    sizes = concepts.sizes
    spreads = _spreads(embedding, concepts)
    odd = []
    for k in np.flatnonzero((sizes <= most * sizes.sum()) & (spreads <= spread)):
        contains = np.isfinite(a[:, k]) & np.isfinite(b[:, k])
        x, y = a[contains, k].astype(np.float64), b[contains, k].astype(np.float64)
        wins, losses = int((x > y).sum()), int((x < y).sum())
        total = float(x.sum() + y.sum())
        if not wins + losses or total <= 0:
            continue
        concept = OddConcept(
            concept=int(k),
            size=float(sizes[k] / sizes.mean()),
            spread=float(spreads[k]),
            balance=float(x.sum() - y.sum()) / total,
            p=min(float(binomtest(wins, wins + losses).pvalue) * concepts.count, 1.0),
            images=int(contains.sum()),
            prevalence=float(contains.mean()),
        )
        if abs(concept.balance) >= balance and concept.p <= level:
            odd.append(concept)
    return tuple(sorted(odd, key=lambda o: -abs(o.balance)))


def _spreads(embedding: np.ndarray, concepts: Concepts) -> np.ndarray:
    """Return each concept's mean ratio of distances to its own and the nearest other centre."""
    from sklearn.metrics.pairwise import euclidean_distances

    ratios = np.ones(len(embedding))
    for part in np.array_split(np.arange(len(embedding)), len(embedding) // 20_000 + 1):
        distance = euclidean_distances(embedding[part], concepts.centres)
        rows, labels = np.arange(len(part)), concepts.labels[part]
        own = distance[rows, labels]
        distance[rows, labels] = np.inf
        ratios[part] = own / np.maximum(distance.min(1), 1e-12)  # 0 for a single concept
    return np.bincount(concepts.labels, np.minimum(ratios, 1), concepts.count) / concepts.sizes
