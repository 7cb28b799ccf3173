"""Ranks of neighbours in two models, and groups of regions by the difference of the ranks."""

import numpy as np
from jaxtyping import Float, Integer

RegionFeatures = Float[np.ndarray, "regions d"]
RankMatrix = Float[np.ndarray, "regions regions"]


def neighbour_ranks(
    features: RegionFeatures, density: Float[np.ndarray, " regions"] | None = None
) -> RankMatrix:
    """Rank of region j among the neighbours of region i by Euclidean distance, from 1.

    With the `density` of the attribution in each region, ranked again by the greater of this rank
    and the place of j by falling density, then by the smaller: a near neighbour is both alike and
    relied on. The same density everywhere changes nothing.

    0 on the diagonal; ties have their mean rank.
    """
    from scipy.spatial.distance import cdist
    from scipy.stats import rankdata

    values = np.asarray(features, np.float64)
    distance = cdist(values, values)
    np.fill_diagonal(distance, -1)  # before copies of the region
    ranks = rankdata(distance, axis=1) - 1
    if density is not None:
        place = rankdata(-np.asarray(density, np.float64))
        # places are multiples of 1/2, so that the second term decides between equal first ones
        key = np.maximum(ranks, place) + np.minimum(ranks, place) / (4 * len(ranks))
        np.fill_diagonal(key, -1)
        ranks = rankdata(key, axis=1) - 1
    return ranks.astype(np.float32)


def rank_difference(near: RankMatrix, far: RankMatrix, *, gamma: float) -> RankMatrix:
    r"""Difference $d_{ij} = \tanh(\gamma (r'_{ij} - r_{ij}) / (\min(r_{ij}, r'_{ij}) + 1))$.

    Positive where j is nearer to i by the ranks $r$ = `near` than by $r'$ = `far`; dividing by the
    smaller rank makes near neighbours count. In [-1, 1], antisymmetric.
    """
    return np.tanh(gamma * (far - near) / (np.minimum(near, far) + 1))


def spread_sample(
    image: Integer[np.ndarray, " regions"], most: int, seed: int
) -> Integer[np.ndarray, " sample"]:
    """Sorted indices of at most `most` regions, every image having one before any has two."""
    drawn = np.random.default_rng(seed).permutation(len(image))
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
    """Groups, joined where the mean difference between two is 0.4 of the stronger one's."""
    from scipy.sparse.csgraph import connected_components

    member = groups[:, None] == np.unique(groups)
    sizes = member.sum(0)
    total = member.T.astype(np.float64) @ difference @ member
    pairs = np.outer(sizes, sizes) - np.diag(sizes)
    mean = (total + total.T) / np.maximum(pairs + pairs.T, 1)
    strength = mean.diagonal()
    stronger = np.maximum(strength[:, None], strength)
    _, joined = connected_components((mean >= 0.4 * stronger) & (stronger > 0), directed=False)
    return joined[member.argmax(1)]
