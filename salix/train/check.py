"""What is wrong with the data of a training, told before any work."""

import warnings
from collections.abc import Sequence

import numpy as np

from salix.train.examples import Examples, Streamed
from salix.train.recipe import Recipe
from salix.typing import InputError


def check_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    """Return seeds, or raise `InputError` if they are none, repeated or negative."""
    seeds = tuple(seeds)
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise InputError(f"seeds are {seeds}: give different numbers of at least 0")
    return seeds


def check_data(
    examples: Examples | Streamed,
    held: Examples | Streamed | None,
    recipe: Recipe,
    classes: tuple[str, ...],
    guided: bool,
) -> None:
    """Raise `InputError` for data that cannot be trained on, warn of data that should not be."""
    _check_labels("training", examples, classes)
    count = len(examples.labels)
    if not recipe.batches(count):
        raise InputError(
            f"{count} images make no batch of {recipe.batch_size}: give a smaller batch_size"
        )
    if guided and not _may_reference_mask(examples):
        raise no_reference_masks(recipe)
    if held is None:
        return
    _check_labels("validation", held, classes)
    if shared := {*examples.ids} & {*held.ids}:
        some = ", ".join(sorted(shared)[:3])
        warnings.warn(f"{len(shared)} ids are in training and validation ({some})", stacklevel=3)


def no_reference_masks(recipe: Recipe) -> InputError:
    """Return the error of a loss that needs reference masks over data that have none."""
    return InputError(
        f"{recipe.loss!r} needs reference masks and no image has one with contrast: give reference masks, or train "
        "with CrossEntropy()"
    )


def _check_labels(what: str, data: Examples | Streamed, classes: tuple[str, ...]) -> None:
    present = np.unique(data.labels).tolist()
    if not present or present[0] < 0 or present[-1] >= len(classes):
        raise InputError(f"{what} labels {present} are not of the {len(classes)} classes")
    if len(present) < 2:
        raise InputError(
            f"the {what} data hold one class, {classes[present[0]]}: give images of two at least"
        )


def _may_reference_mask(examples: Examples | Streamed) -> bool:
    if isinstance(examples, Streamed):
        return (
            examples.source.has_reference_masks
        )  # whether they say anything is known after an epoch
    if examples.reference_masks is None:
        return False
    flat = examples.reference_masks.reshape(len(examples.reference_masks), -1)
    return bool((flat.max(1) > flat.min(1)).any())
