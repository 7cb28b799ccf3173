"""Validation of seeds and training data before any work."""

import warnings
from collections.abc import Sequence

import numpy as np

from salix.train.examples import TrainingImages
from salix.train.recipe import Recipe
from salix.train.streamed import Streamed
from salix.typing import InputError


def check_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    """Return the seeds; raises `InputError` if there is none, or one is repeated or negative."""
    seeds = tuple(seeds)
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise InputError(f"seeds are {seeds}: give different numbers of at least 0")
    return seeds


def check_data(
    examples: TrainingImages | Streamed,
    validation: TrainingImages | Streamed | None,
    *,
    recipe: Recipe,
    classes: tuple[str, ...],
    needs_reference_masks: bool,
) -> None:
    """Raise `InputError` for data that cannot be trained on; warn of ids shared with validation."""
    _check_labels("training", examples, classes)
    count = len(examples.labels)
    if not recipe.batches(count):
        raise InputError(
            f"{count} images make no batch of {recipe.batch_size}: give a smaller batch_size"
        )
    if needs_reference_masks and not _may_have_reference_masks(examples):
        raise missing_reference_masks(recipe)
    if validation is None:
        return
    _check_labels("validation", validation, classes)
    if shared := {*examples.ids} & {*validation.ids}:
        first = ", ".join(sorted(shared)[:3])
        warnings.warn(f"{len(shared)} ids are in training and validation ({first})", stacklevel=3)


def missing_reference_masks(recipe: Recipe) -> InputError:
    """Return the error of a loss that needs reference masks, for data without any."""
    return InputError(
        f"{recipe.loss!r} needs reference masks and no image has one with contrast: give reference "
        "masks, or train with CrossEntropy()"
    )


def _check_labels(name: str, data: TrainingImages | Streamed, classes: tuple[str, ...]) -> None:
    labels = np.unique(data.labels).tolist()
    if not labels or labels[0] < 0 or labels[-1] >= len(classes):
        raise InputError(f"{name} labels {labels} are not of the {len(classes)} classes")
    if len(labels) < 2:
        raise InputError(
            f"the {name} data have one class, {classes[labels[0]]}: give images of at least two"
        )


def _may_have_reference_masks(examples: TrainingImages | Streamed) -> bool:
    if isinstance(examples, Streamed):
        return examples.source.has_reference_masks  # their contrast is known after one epoch
    if examples.reference_masks is None:
        return False
    flat = examples.reference_masks.reshape(len(examples.reference_masks), -1)
    return bool((flat.max(1) > flat.min(1)).any())
