"""Difference concepts: regions that only one of two models represents alike and relies on."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

from salix.typing import InputError

RegionFeatures = Float[np.ndarray, "regions d"]
RankMatrix = Float[np.ndarray, "regions regions"]
Densities = Float[np.ndarray, "2 regions"]


@dataclass(frozen=True, eq=False)
class DifferenceConcept:
    """Regions that one model has near each other and the other model has not.

    `nearer`: 0 where they are near in the first model, 1 in the second. `members`: indices of the
    regions, the most typical first. `success`: binary success rate, the share of ordered pairs of
    members with a smaller neighbour rank in that model, in [0, 1]; `strength`: mean of the
    difference d of these pairs, in [-1, 1]. `images`: number of images of the members.
    """

    nearer: int
    members: Integer[np.ndarray, " members"]
    success: float
    strength: float
    images: int


@dataclass(frozen=True, eq=False)
class DifferenceConcepts:
    """Difference concepts of both directions, with the settings and the regions they are from.

    `sample`: indices of the regions that were compared, most of which are in no concept.
    `weighted`: whether neighbours are near by the reliance of the models too.
    """

    concepts: tuple[DifferenceConcept, ...]
    sample: Integer[np.ndarray, " sample"]
    gamma: float
    beta: float
    count: int
    least: float
    seed: int
    weighted: bool


def neighbour_ranks(
    features: RegionFeatures, density: Float[np.ndarray, " regions"] | None = None
) -> RankMatrix:
    """Rank of region j among the neighbours of region i by Euclidean distance, from 1.

    With the `density` of the attribution in each region, by the sum of this rank and the place of
    j by falling density (Borda's rule), so that a near neighbour is both alike and relied on; the
    same density everywhere changes nothing. 0 on the diagonal; ties have their mean rank.
    """
    from scipy.spatial.distance import cdist
    from scipy.stats import rankdata

    values = np.asarray(features, np.float64)
    distance = cdist(values, values)
    np.fill_diagonal(distance, -1)  # before copies of the region
    ranks = rankdata(distance, axis=1) - 1
    if density is not None:
        ranks += rankdata(-np.asarray(density, np.float64))
        np.fill_diagonal(ranks, -1)
        ranks = rankdata(ranks, axis=1) - 1
    return ranks.astype(np.float32)


def rank_difference(near: RankMatrix, far: RankMatrix, *, gamma: float) -> RankMatrix:
    r"""Difference $d_{ij} = \tanh(\gamma (r'_{ij} - r_{ij}) / (\min(r_{ij}, r'_{ij}) + 1))$.

    Positive where j is nearer to i by the ranks $r$ = `near` than by $r'$ = `far`; dividing by the
    smaller rank makes near neighbours count. In [-1, 1], antisymmetric.
    """
    return np.tanh(gamma * (far - near) / (np.minimum(near, far) + 1))


def difference_concepts(
    a: RegionFeatures,
    b: Float[np.ndarray, "regions k"],
    image: Integer[np.ndarray, " regions"],
    *,
    densities: Densities | None = None,
    count: int = 5,
    gamma: float | None = None,
    beta: float = 5.0,
    least: float | None = None,
    most: int = 1500,
    seed: int = 0,
) -> DifferenceConcepts:
    r"""Groups of regions that are near in one model and not in the other.

    `a` and `b` are the features of the regions. With `densities`, the density of the attribution of
    each model, near means alike in the features and relied on: two models may represent something
    alike of which one makes no use. Ranks r of neighbours in each model, the difference d of `rank_difference`, the affinity
    $\exp(\beta d)$, averaged with its transpose, and `count` groups by normalised spectral
    clustering; once for regions nearer in `a` and once for `b`. Two groups of a direction between
    which the mean of d is at least a third of that in the stronger one are joined, since `count`
    may be too large. Groups with a mean d below `least` are left out, so there may be none; in the
    others, regions with less than half of the group's mean are left out. Each direction is sorted
    by falling strength. For n regions and None, `gamma` is min(80 / n, 0.1), 80 / n being that of
    the released code, and `least` is 0.2, or 0.2 sqrt(200 / n) for under 200 regions, where groups
    are stronger by chance. At most `most` regions are compared, drawn by `seed` so that every image
    has one before any has two, in proportion to the greater density. Swapping `a` and `b` swaps the directions and changes nothing else.

    After RDX, Kondapaneni et al. (2025), arXiv:2505.23917, which compares whole images by their
    features and leaves out one group; the densities are ours. Raises InputError for too few
    regions, features that are the same for all, and values that are not finite.
    """
    if len(a) < 2 * count:
        raise InputError(
            f"{count} difference concepts need at least {2 * count} regions, not {len(a)}: "
            "compare over more images"
        )
    if densities is not None and not (np.isfinite(densities).all() and (densities >= 0).all()):
        raise InputError("densities of the attribution are not finite or below 0: sweep again")
    sample = spread_sample(image, most, seed, None if densities is None else densities.max(0))
    gamma = min(80 / len(sample), 0.1) if gamma is None else gamma
    least = 0.2 * max(1, math.sqrt(200 / len(sample))) if least is None else least
    ranks = []
    for k, (name, features) in enumerate((("first", a), ("second", b))):
        if not np.isfinite(features[sample]).all():
            raise InputError(
                f"features of the {name} model are not finite: sweep it again in float32"
            )
        if not np.ptp(features[sample], axis=0).any():
            raise InputError(
                f"the features of the {name} model are the same for all regions, which have no "
                "neighbours in it: compare by --embedding descriptor"
            )
        density = None if densities is None else densities[k, sample]
        ranks.append(neighbour_ranks(features[sample], density))
    concepts: list[DifferenceConcept] = []
    for nearer in (0, 1):
        difference = rank_difference(ranks[nearer], ranks[1 - nearer], gamma=gamma)
        groups = join_groups(difference, spectral_groups(np.exp(beta * difference), count, seed))
        members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
        # the threshold comes first: what is left after choosing members is strong by choice
        strong = [m for m in members if _typicality(difference, m).mean() >= least]
        direction = [_concept(nearer, difference, m, sample, image) for m in strong]
        concepts += sorted(direction, key=lambda c: -c.strength)
    weighted = densities is not None
    return DifferenceConcepts(tuple(concepts), sample, gamma, beta, count, least, seed, weighted)


def _concept(
    nearer: int, difference: RankMatrix, group: np.ndarray, sample: np.ndarray, image: np.ndarray
) -> DifferenceConcept:
    typicality = _typicality(difference, group)
    group = group[typicality >= typicality.mean() / 2]  # strength of the group
    typicality = _typicality(difference, group)
    order = np.argsort(-typicality, kind="stable")
    members = sample[group[order]]
    positive = (difference[np.ix_(group, group)] > 0).sum()
    return DifferenceConcept(
        nearer=nearer,
        members=members,
        success=float(positive / max(len(group) * (len(group) - 1), 1)),
        strength=float(typicality.mean()),
        images=len(np.unique(image[members])),
    )


def _typicality(difference: RankMatrix, group: np.ndarray) -> np.ndarray:
    """Return the mean difference of each member and the other members, in both directions."""
    pairs = difference[np.ix_(group, group)].astype(np.float64)
    return (pairs.sum(0) + pairs.sum(1)) / (2 * max(len(group) - 1, 1))


def spread_sample(
    image: Integer[np.ndarray, " regions"],
    most: int,
    seed: int,
    weight: Float[np.ndarray, " regions"] | None = None,
) -> Integer[np.ndarray, " sample"]:
    """Sorted indices of at most `most` regions, every image having one before any has two.

    Within an image they are drawn without replacement in proportion to `weight` (Efraimidis and
    Spirakis, 2006), all alike for None.
    """
    key = np.random.default_rng(seed).exponential(size=len(image))
    if weight is not None:
        key = key / np.maximum(weight, 1e-12)
    drawn = np.argsort(key, kind="stable")
    by_image = drawn[np.argsort(image[drawn], kind="stable")]
    start = np.searchsorted(image[by_image], image[by_image])
    turn = np.arange(len(image)) - start  # place of the region among those of its image
    return np.sort(by_image[np.lexsort((np.argsort(drawn)[by_image], turn))][:most])


def spectral_groups(affinity: RankMatrix, count: int, seed: int) -> Integer[np.ndarray, " regions"]:
    """Group of each region by normalised spectral clustering of a full affinity matrix.

    Shi and Malik (2000); the groups are read off the eigenvectors by a pivoted QR decomposition:
    Damle, Minden and Ying (2019), doi:10.1093/imaiai/iay008.
    """
    from sklearn.cluster import spectral_clustering

    symmetric = (affinity + affinity.T) / 2
    return np.asarray(
        spectral_clustering(
            symmetric, n_clusters=count, random_state=seed, assign_labels="cluster_qr"
        )
    )


def join_groups(
    difference: RankMatrix, groups: Integer[np.ndarray, " regions"]
) -> Integer[np.ndarray, " regions"]:
    """Groups, joined where the mean difference between two is a third of the stronger one's."""
    from scipy.sparse.csgraph import connected_components

    member = groups[:, None] == np.unique(groups)
    sizes = member.sum(0)
    total = member.T.astype(np.float64) @ difference @ member
    pairs = np.outer(sizes, sizes) - np.diag(sizes)
    mean = (total + total.T) / np.maximum(pairs + pairs.T, 1)
    strength = mean.diagonal()
    stronger = np.maximum(strength[:, None], strength)
    _, joined = connected_components((mean >= stronger / 3) & (stronger > 0), directed=False)
    return joined[member.argmax(1)]
