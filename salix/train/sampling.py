"""Which image comes when: pure functions of the seed, the epoch and the ids."""

from collections.abc import Sequence

import numpy as np

from salix.data import id_hash
from salix.train.recipe import Recipe
from salix.typing import InputError


def order(recipe: Recipe, labels: np.ndarray, seed: int, epoch: int) -> list[np.ndarray]:
    """Return the positions of the images of each batch of an epoch.

    With `recipe.balance` each class fills an equal share of the epoch (one image more or less): a
    rare class with whole rounds of all its images and part of another.
    """
    rng, count = np.random.default_rng([seed, epoch]), len(labels)
    if recipe.balance:
        classes = np.unique(labels)
        shares = [len(part) for part in np.array_split(np.arange(count), len(classes))]
        rounds = [
            _rounds(np.flatnonzero(labels == of), share, rng)
            for of, share in zip(classes, shares, strict=True)
        ]
        shuffled = rng.permutation(np.concatenate(rounds))
    else:
        shuffled = rng.permutation(count)
    size = recipe.batch_size
    return [shuffled[i * size : (i + 1) * size] for i in range(recipe.batches(count))]


def split(labels: np.ndarray, ids: Sequence[str], share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions kept for training and those held out: a share of each class, by id.

    An image is held out by the hash of its id, whatever the seed and whatever its company does to
    its place. Raises `InputError` where a class would be left out of either part.
    """
    held = []
    for of in np.unique(labels):
        members = np.flatnonzero(labels == of).tolist()
        ranked = sorted(members, key=lambda i: (id_hash(ids[i]), ids[i]))
        count = round(share * len(members))
        if not 0 < count < len(members):
            raise InputError(
                f"a share of {share} of the {len(members)} images of class {of} leaves nothing to "
                "one part: change validation, or give validation data"
            )
        held += ranked[:count]
    out = np.zeros(len(labels), bool)
    out[held] = True
    return np.flatnonzero(~out), np.flatnonzero(out)


def _rounds(members: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    whole, part = divmod(count, len(members))
    return np.concatenate([np.tile(members, whole), rng.permutation(members)[:part]])
