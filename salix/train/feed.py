"""Batches of an epoch as arguments of the training step, for one seed or several together."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from salix.train.examples import TrainingImages
from salix.train.program import TrainingProgram
from salix.train.sampler import epoch_batches
from salix.train.streamed import Streamed


def epoch_feed(
    program: TrainingProgram,
    examples: TrainingImages | Streamed,
    seeds: tuple[int, ...],
    hashes: np.ndarray,
    epoch: int,
    finished: int,
) -> Iterator[tuple[int, list[np.ndarray], dict[str, Any]]]:
    """Yield number, positions for each seed and arguments of the batches after the finished ones.

    `hashes` are those of the examples' ids.
    """
    labels = examples.labels
    orders = [epoch_batches(program.recipe, labels, seed, epoch)[finished:] for seed in seeds]
    feeds = zip(*(examples.take(order) for order in orders), strict=True)
    pairs = zip(zip(*orders, strict=True), feeds, strict=True)
    for batch, (positions, taken) in enumerate(pairs, finished):
        arguments = [
            {"pixels": p, "labels": labels[i], "reference_masks": m, "hashes": hashes[i]}
            for i, (p, m) in zip(positions, taken, strict=True)
        ]
        stack = jax.tree.map(lambda *a: np.stack(a), *arguments) if program.together else None
        yield batch, list(positions), stack or arguments[0]
