"""Clusters of features where some images have labels, and the number of classes among them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from salix.studies.openworld.metrics import best_matching
from salix.typing import InputError

STARTS = 3
ROUNDS = 100
SAMPLE = 1000  # images of a silhouette: its distances are quadratic in them


def unit_features(features: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """Return features of length 1; a zero one stays zero."""
    norms = np.linalg.norm(features, axis=-1, keepdims=True)
    return features / np.maximum(norms, 1e-12)


def nearest_centre(
    features: Float[np.ndarray, "n k"], centres: Float[np.ndarray, "c k"]
) -> Int[np.ndarray, " n"]:
    """Return the centre with the least distance to each image."""
    return _distances(features, centres).argmin(1)


def semi_supervised_kmeans(
    features: Float[np.ndarray, "n k"],
    labels: Int[np.ndarray, " n"],
    labelled: Bool[np.ndarray, " n"],
    classes: int,
    *,
    seed: int,
) -> Float[np.ndarray, "classes k"]:
    """Return the centres of k-means in which labelled images stay in the cluster of their label.

    The first centres are the means of the labels, which are numbered from 0, and images drawn as in
    k-means++. Of three starts that with the least sum of squared distances. Raises `InputError` for
    fewer classes than labels, or without an image for each.

    Vaze et al. (2022), arXiv:2201.02609, sec. 3.2; Arthur and Vassilvitskii (2007), SODA.
    """
    known = int(labels[labelled].max()) + 1 if labelled.any() else 0
    if not known <= classes <= len(features):
        raise InputError(
            f"{classes} classes for {len(features)} images with {known} labels: give at least the "
            "labels and at most the images"
        )
    fixed = np.where(labelled, labels, -1)
    first = [features[fixed == c].mean(0) for c in range(known)]
    best, least = np.empty((0, 0)), np.inf
    for start in range(STARTS):
        centres = _drawn_centres(features, first, classes, np.random.default_rng([seed, start]))
        for _ in range(ROUNDS):
            of = np.where(labelled, fixed, nearest_centre(features, centres))
            moved = np.stack(
                [
                    features[of == c].mean(0) if (of == c).any() else centres[c]
                    for c in range(classes)
                ]
            )
            settled = np.allclose(moved, centres, atol=1e-7)
            centres = moved
            if settled:
                break
        of = np.where(labelled, fixed, nearest_centre(features, centres))
        error = float(np.square(features - centres[of]).sum())
        if error < least:
            best, least = centres, error
    return best


def _drawn_centres(
    features: np.ndarray, first: Sequence[np.ndarray], classes: int, rng: np.random.Generator
) -> np.ndarray:
    centres = list(first) or [features[rng.integers(len(features))]]
    while len(centres) < classes:
        far = _distances(features, np.stack(centres)).min(1).clip(0)
        total = far.sum()
        p = far / total if total > 0 else None  # all images lie on centres
        centres.append(features[rng.choice(len(features), p=p)])
    return np.stack(centres)


def _distances(features: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return squared distances [n c] up to rounding."""
    squares = np.square(features).sum(1)[:, None] + np.square(centres).sum(1)[None]
    return squares - 2 * features @ centres.T


@dataclass(frozen=True)
class ClassCount:
    """An estimated number of classes, and the score of each candidate."""

    classes: int
    scores: Mapping[int, float]


def count_by_labels(
    features: Float[np.ndarray, "n k"],
    labels: Int[np.ndarray, " n"],
    labelled: Bool[np.ndarray, " n"],
    candidates: Sequence[int],
    *,
    seed: int,
) -> ClassCount:
    """Return the number of clusters of k-means that agrees best with the labels.

    Agreement is the accuracy of labelled images in the best matching of clusters and labels, in
    which a cluster without a label counts as an error. The least of equal candidates.

    Vaze et al. (2022), arXiv:2201.02609, sec. 3.2, on a grid in place of Brent's method.
    """
    scores = {}
    for k in candidates:
        clusters = _kmeans(features, k, seed)
        match = best_matching(labels[labelled], clusters[labelled])
        scores[k] = float((match[clusters[labelled]] == labels[labelled]).mean())
    return ClassCount(max(scores, key=lambda k: scores[k]), scores)


def count_by_silhouette(
    features: Float[np.ndarray, "n k"],
    labels: Int[np.ndarray, " n"],
    labelled: Bool[np.ndarray, " n"],
    candidates: Sequence[int],
    *,
    seed: int,
) -> ClassCount:
    """Return the number of clusters of `semi_supervised_kmeans` with the largest silhouette.

    The silhouette is the mean over at most 1,000 unlabelled images. Rousseeuw (1987),
    doi:10.1016/0377-0427(87)90125-7.
    """
    from sklearn.metrics import silhouette_score

    rest = np.flatnonzero(~labelled)
    sample = np.random.default_rng(seed).permutation(rest)[:SAMPLE]
    scores = {}
    for k in candidates:
        centres = semi_supervised_kmeans(features, labels, labelled, k, seed=seed)
        clusters = nearest_centre(features[sample], centres)
        several = 1 < len(np.unique(clusters)) < len(sample)
        scores[k] = float(silhouette_score(features[sample], clusters)) if several else -1.0
    return ClassCount(max(scores, key=lambda k: scores[k]), scores)


def _kmeans(features: np.ndarray, classes: int, seed: int) -> Int[np.ndarray, " n"]:
    from sklearn.cluster import KMeans

    rule = KMeans(classes, n_init="auto", random_state=seed)  # a single start, by k-means++
    return rule.fit_predict(features).astype(np.int64)
