"""Batch order of each epoch and validation split, as pure functions of seed, epoch and ids."""

from collections.abc import Sequence

import numpy as np

from salix.data import id_hash
from salix.train.recipe import Recipe
from salix.typing import InputError


def epoch_batches(recipe: Recipe, labels: np.ndarray, seed: int, epoch: int) -> list[np.ndarray]:
    """Return the positions of the images of each batch of an epoch.

    With `recipe.balance` each class fills an equal share of the epoch (to one image): a rare
    class with full rounds of all its images and part of another.
    """
    rng, count = np.random.default_rng([seed, epoch]), len(labels)
    if recipe.balance:
        classes = np.unique(labels)
        shares = [len(part) for part in np.array_split(np.arange(count), len(classes))]
        draws: list[np.ndarray] = []
        for label, share in zip(classes, shares, strict=True):
            members = np.flatnonzero(labels == label)
            rounds, rest = divmod(share, len(members))
            draws += [np.tile(members, rounds), rng.permutation(members)[:rest]]
        shuffled = rng.permutation(np.concatenate(draws))
    else:
        shuffled = rng.permutation(count)
    size = recipe.batch_size
    return [shuffled[i * size : (i + 1) * size] for i in range(recipe.batches(count))]


def split_validation(
    labels: np.ndarray, ids: Sequence[str], share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions for training and those for validation, a share of each class.

    The hash of its id decides for each image: neither the seed nor the order of the data matters.
    Raises `InputError` where a class would be absent from either part.
    """
    positions = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label).tolist()
        ranked = sorted(members, key=lambda i: (id_hash(ids[i]), ids[i]))
        count = round(share * len(members))
        if not 0 < count < len(members):
            raise InputError(
                f"a share of {share} of the {len(members)} images of class {label} leaves nothing "
                "to one part: change validation, or give validation data"
            )
        positions += ranked[:count]
    chosen = np.zeros(len(labels), bool)
    chosen[positions] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)
