"""Difference concepts: regions that only one of two models represents alike and relies on."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

from salix.compare.embedding import DESCRIPTOR, FEATURES, embed_regions
from salix.compare.neighbour_ranks import (
    RankMatrix,
    RegionFeatures,
    join_groups,
    neighbour_ranks,
    rank_difference,
    spectral_groups,
    spread_sample,
)
from salix.compare.region_table import RegionTable
from salix.typing import InputError

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
    fewest: int
    seed: int
    weighted: bool


def difference_concepts(
    a: RegionFeatures,
    b: Float[np.ndarray, "regions k"],
    image: Integer[np.ndarray, " regions"],
    *,
    densities: Densities | None = None,
    count: int | None = None,
    gamma: float | None = None,
    beta: float = 5.0,
    least: float | None = None,
    fewest: int = 10,
    most: int = 1500,
    seed: int = 0,
) -> DifferenceConcepts:
    r"""Groups of regions that are near in one model and not in the other.

    `a` and `b` are the features of the regions. With `densities`, the density of each model's
    attribution in them, near means alike in the features and relied on, since two models may
    represent something alike of which one makes no use: see `neighbour_ranks`.

    Ranks r of neighbours in each model, the difference d of `rank_difference`, the affinity
    $\exp(\beta d)$, averaged with its transpose, and `count` groups by normalised spectral
    clustering; once for regions nearer in `a` and once for `b`. Two groups of a direction between
    which the mean of d is at least 0.4 of that in the stronger one are joined, since `count` may be
    too large. Groups with a mean d below `least` are left out, so there may be none; in the others,
    regions with less than half of the group's mean are left out; then groups of less than `fewest`
    regions, which noise makes. Each direction is sorted by falling strength. For n regions and
    None, `count` is n / 50, at least 5 and at most 10; `gamma` is min(80 / n, 0.1), 80 / n being
    that of the released code; `least` is 0.2, or 0.2 sqrt(200 / n) for under 200 regions, where
    groups are stronger by chance. At most `most` regions are compared, drawn by `seed` so that
    every image has one before any has two. All regions of an image are drawn alike: a group of more
    than about n / 10 has a small d, its members being far apart in rank. Swapping the models swaps
    the directions and changes nothing else; neither does the scale of a model's densities.

    After RDX, Kondapaneni et al. (2025), arXiv:2505.23917, which compares whole images by their
    features and leaves out one group; the densities are ours. Raises InputError for too few
    regions, features that are the same for all, and values that are not finite.
    """
    count = min(max(min(len(a), most) // 50, 5), 10) if count is None else count
    if len(a) < 2 * count:
        raise InputError(
            f"{count} difference concepts need at least {2 * count} regions, not {len(a)}: "
            "compare over more images"
        )
    if densities is not None and not (np.isfinite(densities).all() and (densities >= 0).all()):
        raise InputError("densities of the attribution are not finite or below 0: sweep again")
    sample = spread_sample(image, most, seed)
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
        direction = [c for c in direction if len(c.members) >= fewest]
        concepts += sorted(direction, key=lambda c: -c.strength)
    settings = (gamma, beta, count, least, fewest, seed, densities is not None)
    return DifferenceConcepts(tuple(concepts), sample, *settings)


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


def difference_embedding(table: RegionTable, i: int, j: int) -> str:
    """Embedding that models i and j are compared by: "descriptor" unless both have features."""
    return FEATURES if {table.models[i], table.models[j]} <= set(table.embeddings) else DESCRIPTOR


def table_difference_concepts(
    table: RegionTable, i: int, j: int, *, weight: str | None, seed: int
) -> DifferenceConcepts:
    """Difference concepts of models i and j of a table: see `Comparison.difference_concepts`."""
    if weight not in ("attribution", None):
        raise InputError(f"weight is {weight!r}: choose 'attribution' or None")
    names, embeddings = (table.models[i], table.models[j]), table.embeddings
    if difference_embedding(table, i, j) == FEATURES:
        a, b = (embeddings[name] for name in names)
    elif weight is not None and DESCRIPTOR in embeddings:
        a = b = embed_regions(embeddings, DESCRIPTOR).values
    else:
        raise InputError(
            f"{' and '.join(n for n in names if n not in embeddings)} have no features of regions: "
            "sweep with --measures \"Regions(embeddings=('descriptor', 'features'))\""
        )
    densities = None if weight is None else table.share[[i, j]] / table.area
    return difference_concepts(a, b, table.image, densities=densities, seed=seed)
