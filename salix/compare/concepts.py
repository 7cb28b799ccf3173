"""Concepts: groups of similar regions by k-means, with their stability."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

from salix.compare.concept_count import COUNTS, CountStability, choose_count, silhouette
from salix.compare.grouping import (
    RegionLabels,
    RegionValues,
    agreement,
    best_jaccard,
    canonical_order,
    distinct_values,
    group,
    half_samples,
    image_codes,
    mean_agreements,
    sample_images,
)
from salix.typing import InputError


@dataclass(frozen=True, eq=False)
class Concepts:
    """Groups of similar regions, numbered from the one with the most regions, and their stability.

    `seed_stability` (mean, least): adjusted Rand index between whole fits with different seeds.
    `resample_stability` (mean, least): that between the concepts and fits on halves of the images.
    `concept_stability`: mean over these halves of the largest Jaccard index of each concept with
    a group of the fit (Hennig, 2007): below 0.6 do not interpret the concept, from 0.75 it is
    stable. `silhouette` is the mean silhouette coefficient. `grid` has the criterion of every count
    that was tried, empty where the count was given; `supported` is False where no count is more
    stable than for a Gaussian. A single concept has stability NaN.
    """

    labels: Integer[np.ndarray, " regions"]
    centres: Float[np.ndarray, "concepts d"]
    seed_stability: tuple[float, float]
    resample_stability: tuple[float, float]
    concept_stability: Float[np.ndarray, " concepts"]
    silhouette: float
    grid: tuple[CountStability, ...] = ()
    supported: bool = True

    @property
    def count(self) -> int:
        """Number of concepts."""
        return len(self.centres)

    @property
    def sizes(self) -> Integer[np.ndarray, " concepts"]:
        """Number of regions of each concept, falling."""
        return np.bincount(self.labels, minlength=self.count)


def cluster_regions(
    embedding: RegionValues,
    image: RegionLabels,
    *,
    clusters: Integer[np.ndarray, " images"] | None = None,
    count: int | None = None,
    counts: tuple[int, ...] = COUNTS,
    seed: int = 0,
    restarts: int = 8,
    seeds: int = 5,
    resamples: int = 20,
    most: int = 6000,
) -> Concepts:
    """Group regions into concepts by k-means and measure how stable the concepts are.

    `embedding` [regions d] of all models' regions at once, `image` the index of the image of each
    region, `clusters` the code of the cluster of dependent images of each image. `count` is chosen
    by `choose_count` from `counts` where it is None. k-means++ with `restarts` on the regions of
    random images, at most `most`, then Lloyd's iterations on all regions. Stability is measured on
    these images, over halves of their clusters, or of the images where there are under 4 clusters.

    The same for a seed, and for any order of the regions up to rounding: regions are sorted by
    their embedding first. Raises InputError for fewer images, regions or distinct embeddings than
    concepts.
    """
    if not len(embedding):
        raise InputError("no regions to group into concepts: sweep with --measures regions")
    order = canonical_order(embedding)
    values = np.ascontiguousarray(embedding[order], np.float32)
    codes = image_codes(image[order])
    units = codes if clusters is None else image_codes(clusters[image[order]])
    if units.max() < 3:
        units = codes
    images, distinct = int(codes.max()) + 1, distinct_values(values)
    if count is not None:
        _check(count, images, len(values), distinct)
    elif distinct == 1:
        count = 1
    sample = sample_images(codes, most, np.random.default_rng([seed, 0]))
    part, part_codes, part_units = values[sample], codes[sample], image_codes(units[sample])
    grid, supported = (), True
    if count is None:
        counts = tuple(k for k in counts if k <= min(images // 2, distinct))
        if not counts:
            raise InputError(
                f"{images} images with {len(values)} regions are too few to choose the number of "
                "concepts: give it by --concepts, at most one for each image"
            )
        half = sample_images(image_codes(part_codes), 3000, np.random.default_rng([seed, 2]))
        half_units = image_codes(part_units[half])
        count, grid, supported = choose_count(part[half], half_units, counts=counts, seed=seed)
    if count == 1:
        return _single(values)
    fits = [group(part, count, seed + i, restarts=restarts) for i in range(seeds)]
    fit = group(values, count, seed, centres=fits[0].cluster_centers_)
    labels, centres = _by_size(fit.labels_, fit.cluster_centers_)
    by_seed = mean_agreements([f.labels_ for f in fits])
    by_half, jaccard = _over_halves(
        part,
        part_units,
        labels[sample],
        count,
        resamples=resamples,
        restarts=min(restarts, 4),
        seed=seed,
    )
    near = np.random.default_rng([seed, 3]).permutation(len(part))[:2000]
    unsorted = np.empty_like(labels)
    unsorted[order] = labels
    return Concepts(
        labels=unsorted,
        centres=centres,
        seed_stability=(float(by_seed.mean()), float(by_seed.min())),
        resample_stability=(float(by_half.mean()), float(by_half.min())),
        concept_stability=jaccard,
        silhouette=silhouette(part[near], labels[sample][near]),
        grid=grid,
        supported=supported,
    )


def _check(count: int, images: int, regions: int, distinct: int) -> None:
    for number, what in ((images, "images"), (regions, "regions"), (distinct, "distinct regions")):
        if not 1 <= count <= number:
            raise InputError(
                f"--concepts {count} with {number} {what}: give between 1 and {number}, "
                "or compare over more images"
            )


def _single(values: RegionValues) -> Concepts:
    nan = float("nan")
    return Concepts(
        labels=np.zeros(len(values), np.int32),
        centres=values.mean(0, keepdims=True, dtype=np.float64).astype(np.float32),
        seed_stability=(nan, nan),
        resample_stability=(nan, nan),
        concept_stability=np.array([nan]),
        silhouette=nan,
    )


def _by_size(labels: RegionLabels, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number groups by falling size, ties by their centres."""
    sizes = np.bincount(labels, minlength=len(centres))
    order = np.lexsort((*centres.T[::-1], -sizes))
    return np.argsort(order)[labels].astype(np.int32), centres[order]


def _over_halves(
    values: RegionValues,
    codes: RegionLabels,
    labels: RegionLabels,
    count: int,
    *,
    resamples: int,
    restarts: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the agreement with fits on halves of the images, and each concept's mean Jaccard."""
    agreements, jaccards = [], []
    for i, half in enumerate(half_samples(codes, resamples, seed + 1)):
        fit = group(values[half], count, seed + i, restarts=restarts)
        agreements.append(agreement(labels[half], fit.labels_))
        jaccards.append(best_jaccard(labels[half], fit.labels_, count))
    present = np.isfinite(jaccards)
    total = np.where(present, jaccards, 0).sum(0)
    return np.array(agreements), total / np.where(present.any(0), present.sum(0), np.nan)
