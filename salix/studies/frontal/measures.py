"""Measures of frontal images: distances to the truth, symmetry, and recognition by yaw."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from salix.metrics.similarity import ssim
from salix.stats import Interval, auc_interval, bootstrap_mean, share_interval
from salix.studies.frontal.losses import symmetry_loss
from salix.studies.frontal.recogniser import FaceRecogniser
from salix.typing import AnyArray

BATCH = 16
MEASURES = ("l1", "ssim", "symmetry", "identity", "perceptual", "rank1")


@dataclass(frozen=True)
class ImageFeatures:
    """Last maps [n y x k] and unit embeddings [n k] of images."""

    maps: Float[np.ndarray, "n y x k"]
    embeddings: Float[np.ndarray, "n k"]


def describe_faces(recogniser: FaceRecogniser, images: Float[AnyArray, "n s s 3"]) -> ImageFeatures:
    """Return the recogniser's features of images in [0, 1]."""
    run = jax.jit(recogniser.features)
    parts = []
    for start in range(0, len(images), BATCH):
        rows = np.minimum(np.arange(start, start + BATCH), len(images) - 1)  # one program for all
        parts.append(jax.device_get(run(recogniser.params, np.asarray(images, np.float32)[rows])))
    maps, embeddings = (np.concatenate(p)[: len(images)] for p in zip(*parts, strict=True))
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    # A blurred image may have no feature at all: its cosines are 0, not undefined
    return ImageFeatures(maps, embeddings / np.where(norms > 0, norms, 1))


def image_measures(
    images: Float[AnyArray, "n s s 3"],
    truths: Float[AnyArray, "n s s 3"],
    features: ImageFeatures,
    wanted: ImageFeatures,
) -> dict[str, Float[np.ndarray, " n"]]:
    r"""Return measures of images in [0, 1] beside their truths.

    `l1`: mean absolute difference; `ssim`: of the grey images; `symmetry`: mean absolute
    difference of the left half and the mirrored right one; `identity`: 1 - the cosine of the
    embeddings, in [0, 2]; `perceptual`: $\sum |F - F'| / \sum |F'|$ of the last maps.
    """
    pixels = [jnp.asarray(x, jnp.float32) for x in (images, truths)]
    grey = [x.mean(-1) for x in pixels]
    apart = np.abs(features.maps - wanted.maps).sum((1, 2, 3))
    return {
        "l1": np.asarray(jnp.abs(pixels[0] - pixels[1]).mean((1, 2, 3))),
        "ssim": np.asarray(jax.vmap(ssim)(*grey)),
        "symmetry": np.asarray(jax.vmap(lambda image: symmetry_loss(image[None]))(pixels[0])),
        "identity": 1 - (features.embeddings * wanted.embeddings).sum(1),
        "perceptual": apart / np.abs(wanted.maps).sum((1, 2, 3)),
    }


def similarities(
    features: ImageFeatures, gallery: ImageFeatures
) -> Float[np.ndarray, "n subjects"]:
    """Return the cosines of images with the frontal image of each subject."""
    return features.embeddings @ gallery.embeddings.T


def first_ranks(
    cosines: Float[np.ndarray, "n subjects"], labels: Int[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Return whether the frontal image of the right subject is more similar than all others."""
    own = np.take_along_axis(cosines, labels[:, None], 1)
    return (cosines >= own).sum(1) == 1


def verification(
    cosines: Float[np.ndarray, "n subjects"], labels: Int[np.ndarray, " n"]
) -> Interval:
    """Return the AUC of same against different subject over all pairs, resampled by subject."""
    same = np.arange(cosines.shape[1]) == labels[:, None]
    owner = np.broadcast_to(labels[:, None], same.shape)
    return auc_interval(cosines.ravel(), same.ravel().astype(int), clusters=owner.ravel())


def by_group(
    values: Mapping[str, Any], groups: np.ndarray, labels: Int[np.ndarray, " n"]
) -> dict[str, dict[str, Interval]]:
    """Return the mean of each measure in each group, and in "all", with intervals over subjects."""
    tables: dict[str, dict[str, Interval]] = {}
    for group in [*dict.fromkeys(sorted(groups)), "all"]:
        rows = np.flatnonzero((groups == group) | (group == "all"))
        tables[group] = {
            name: _interval(np.asarray(v)[rows], labels[rows]) for name, v in values.items()
        }
    return tables


def _interval(values: np.ndarray, labels: Int[np.ndarray, " n"]) -> Interval:
    """Return a mean, or the share of True, with its interval over subjects."""
    if values.dtype == bool:
        return share_interval(values, clusters=labels)
    return bootstrap_mean(values.astype(np.float64), clusters=labels)
