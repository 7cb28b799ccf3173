"""Embedding of regions in which they are grouped into concepts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from salix.typing import InputError

DESCRIPTOR = "descriptor"  # the neutral hand-made encoder of the measure Regions
FEATURES = "features"  # the features of all models, concatenated


@dataclass(frozen=True, eq=False)
class RegionEmbedding:
    """Standardised principal components of the regions' embeddings.

    `which` names the choice, `sources` the embeddings that entered, `variance` is the share of
    their variance in the components, NaN where all regions have one embedding.
    """

    which: str
    sources: tuple[str, ...]
    values: Float[np.ndarray, "regions d"]
    variance: float


def embed_regions(
    embeddings: Mapping[str, np.ndarray],
    which: str,
    *,
    variance: float = 0.95,
    most: int = 50,
) -> RegionEmbedding:
    """Principal components of one embedding of the regions, or of all models' features.

    `embeddings` maps "descriptor" and the name of each model to [regions d]. `which` is one of
    these names, or "features": the features of every model in the order of their names, each
    L2-normalised, concatenated and L2-normalised again, which is the same for any order of the
    models. Every dimension is standardised; the components with the largest variance are returned,
    as many as have the share `variance` of the total, at most `most`, unscaled, so that Euclidean
    distances approximate those between standardised embeddings.

    Raises InputError for an unknown `which`, no regions and values that are not finite.
    """
    models = sorted(set(embeddings) - {DESCRIPTOR})
    if which not in {*embeddings, FEATURES} or (which == FEATURES and not models):
        choices = ", ".join([*sorted(embeddings), *([FEATURES] if models else [])])
        remedy = f"give one of {choices}" if choices else "sweep with --measures regions"
        raise InputError(f"embedding {which!r} is not stored in these runs: {remedy}")
    sources = tuple(models) if which == FEATURES else (which,)
    parts = [np.asarray(embeddings[name], np.float32) for name in sources]
    for name, part in zip(sources, parts, strict=True):
        _check(part, name)
    if which == FEATURES:
        parts = [_unit(part) for part in parts]
        values = _unit(np.concatenate(parts, 1))
    else:
        values = parts[0]
    values, share = _components(values, variance, most)
    return RegionEmbedding(which, sources, values, share)


def _check(part: np.ndarray, name: str) -> None:
    if not part.size:
        raise InputError(f"embedding {name!r} has no regions: sweep with --measures regions")
    bad = int((~np.isfinite(part)).any(1).sum())
    if bad:
        raise InputError(
            f"embedding {name!r} of {bad} of {len(part)} regions is not finite: choose another "
            "by --embedding, or sweep that model again in float32"
        )


def _unit(values: np.ndarray) -> np.ndarray:
    """Return rows of length 1; rows of zeros stay zero."""
    norm = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(norm > 0, norm, 1)


def _components(values: np.ndarray, variance: float, most: int) -> tuple[np.ndarray, float]:
    """Return the first principal components of standardised values, and their share of variance."""
    from sklearn.decomposition import PCA

    values = values[:, np.ptp(values, axis=0) > 0]
    if not values.size:
        return np.zeros((len(values), 1), np.float32), float("nan")
    # float64: the sums over regions do not depend on their order beyond 1e-12
    values = values.astype(np.float64)
    values = (values - values.mean(0)) / values.std(0)
    pca = PCA(min(most, *values.shape), svd_solver="covariance_eigh")
    scores = pca.fit_transform(values)
    share = np.cumsum(pca.explained_variance_ratio_)
    count = min(int(np.searchsorted(share, variance - 1e-9)) + 1, len(share))
    return scores[:, :count].astype(np.float32), float(share[count - 1])
