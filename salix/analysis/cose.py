"""COSE and its sub-scores, from the columns of the measure `COSE` and the labels of the images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from salix.perturb.cose import GEOMETRIC
from salix.typing import InputError

Changes = Shaped[np.ndarray, "..."]  # [images changes], NaN or None where unknown
Images = Shaped[np.ndarray, "..."]  # [images]


class MeanOf(NamedTuple):
    """A mean and the number of values that it is taken over; NaN of none."""

    value: float
    n: int


def consistency(
    similarity: Changes, predicted: Changes, clean_predicted: Images, label: Images
) -> MeanOf:
    r"""Mean similarity where the prediction is right before the change and after it.

    $C = \text{mean} \{s_{ij} : \hat y_i = y_i, \hat y_{ij} = y_i\}$ over images i and changes j:
    there the map should be the same. Range [-1, 1], higher is better. NaN similarities, and images
    without a label or a prediction, are left out. Raises `InputError` where shapes do not match.

    Daroya, Sun and Maji (2023), arXiv:2309.10989.
    """
    known, before, after = align_changes(similarity, predicted, clean_predicted, label)
    return mean_of(known[before & after])


def fidelity(
    similarity: Changes, predicted: Changes, clean_predicted: Images, label: Images
) -> MeanOf:
    r"""Mean similarity where the prediction is right before the change and wrong after it.

    $F = \text{mean} \{s_{ij} : \hat y_i = y_i, \hat y_{ij} \ne y_i\}$: there the map should be
    another. Range [-1, 1], lower is better; the sensitivity is 1 - F. Changes may be of the model
    as well. NaN similarities, and images without a label or a prediction, are left out. Raises
    `InputError` where shapes do not match.

    Daroya, Sun and Maji (2023), arXiv:2309.10989.
    """
    known, before, after = align_changes(similarity, predicted, clean_predicted, label)
    return mean_of(known[before & ~after])


def cose_score(consistency: float, fidelity: float) -> float:
    r"""Geometric mean of consistency and sensitivity, $\sqrt{C (1 - F)}$: higher is better.

    Range [0, $\sqrt 2$], at most 1 unless F is below 0. NaN where C or F is, or C is below 0.
    """
    product = consistency * (1 - fidelity)
    return float(np.sqrt(product)) if product >= 0 else float("nan")


@dataclass(frozen=True)
class CoseScores:
    """COSE and its parts; each mean with its number of (image, change) pairs."""

    cose: float
    consistency: MeanOf
    consistency_geometric: MeanOf
    consistency_photometric: MeanOf
    fidelity: MeanOf  # of all changes, pooled
    fidelity_image: MeanOf
    fidelity_geometric: MeanOf
    fidelity_photometric: MeanOf
    fidelity_model: MeanOf
    fidelity_random: MeanOf
    fidelity_checkpoints: MeanOf


def cose_scores(
    variants: tuple[str, ...],
    similarity: Changes,
    predicted: Changes,
    clean_predicted: Images,
    label: Images,
    *,
    random: tuple[Changes, Changes] | None = None,
    checkpoints: tuple[Changes, Changes] | None = None,
) -> CoseScores:
    """Return COSE with its sub-scores, from the columns of a run's rows.

    `variants` are `COSE.variants`; `similarity` and `predicted` the columns `cose_…`, a row an
    image, in which a skipped image is NaN. `random` and `checkpoints` are similarities and
    predictions, a column each, of the same clean images' maps by re-initialised models and by
    checkpoints in the middle of training, against the model's own. Without them F is of the images
    alone, which is less than published. Raises `InputError` where shapes do not match.

    Daroya, Sun and Maji (2023), arXiv:2309.10989.
    """
    similarity, predicted = np.asarray(similarity, float), np.asarray(predicted, float)
    if similarity.shape[1:] != (len(variants),):
        raise InputError(
            f"{len(variants)} variants and similarities of shape {similarity.shape}: "
            "give one column for each of COSE.variants"
        )
    nothing = np.empty((len(similarity), 0)), np.empty((len(similarity), 0))
    geometric = np.isin(variants, GEOMETRIC)
    changes = {
        "geometric": (similarity[:, geometric], predicted[:, geometric]),
        "photometric": (similarity[:, ~geometric], predicted[:, ~geometric]),
        "random": nothing if random is None else random,
        "checkpoints": nothing if checkpoints is None else checkpoints,
    }

    def pool(score: Callable[..., MeanOf], *names: str) -> MeanOf:
        pooled = [np.concatenate([changes[name][k] for name in names], 1) for k in (0, 1)]
        return score(*pooled, clean_predicted, label)

    image, model = ("geometric", "photometric"), ("random", "checkpoints")
    consistent, faithful = pool(consistency, *image), pool(fidelity, *image, *model)
    return CoseScores(
        cose=cose_score(consistent.value, faithful.value),
        consistency=consistent,
        consistency_geometric=pool(consistency, "geometric"),
        consistency_photometric=pool(consistency, "photometric"),
        fidelity=faithful,
        fidelity_image=pool(fidelity, *image),
        fidelity_geometric=pool(fidelity, "geometric"),
        fidelity_photometric=pool(fidelity, "photometric"),
        fidelity_model=pool(fidelity, *model),
        fidelity_random=pool(fidelity, "random"),
        fidelity_checkpoints=pool(fidelity, "checkpoints"),
    )


def align_changes(
    similarity: Changes, predicted: Changes, clean_predicted: Images, label: Images
) -> tuple[
    Float[np.ndarray, "images changes"],
    Bool[np.ndarray, "images changes"],
    Bool[np.ndarray, "images changes"],
]:
    """Return similarities, and where a known prediction is right before and after a change."""
    s, after = np.asarray(similarity, float), np.asarray(predicted, float)
    before, truth = np.asarray(clean_predicted, float), np.asarray(label, float)
    if s.shape != after.shape or before.shape != truth.shape or s.shape[:1] != truth.shape:
        raise InputError(
            f"similarities {s.shape} and predictions {after.shape} of changes, predictions "
            f"{before.shape} and labels {truth.shape} do not match: give a row for each image"
        )
    known = np.where(np.isnan(after), np.nan, s)
    right = np.broadcast_to((before == truth)[:, None], s.shape)
    return known, right, after == truth[:, None]


def mean_of(values: Shaped[np.ndarray, "..."]) -> MeanOf:
    """Return the mean of the values that are not NaN, with their number."""
    values = values[~np.isnan(values)]
    return MeanOf(float(values.mean()) if len(values) else float("nan"), len(values))
