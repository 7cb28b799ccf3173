"""Batches of an epoch as arguments of the training step, for one seed or several together."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import numpy as np

from salix.train.examples import TrainingImages
from salix.train.program import TrainingProgram
from salix.train.sampler import epoch_batches
from salix.train.streamed import PixelsAndMasks, Positions, Streamed


def epoch_feed(
    program: TrainingProgram,
    examples: TrainingImages | Streamed,
    seeds: tuple[int, ...],
    hashes: np.ndarray,
    epoch: int,
    finished: int,
) -> Iterator[tuple[int, list[np.ndarray], dict[str, Any]]]:
    """Yield number, positions for each seed and arguments of the batches after the finished ones.

    `hashes` are those of the examples' ids. The positions are those of the batch, the arguments
    have the rows of this process.
    """
    labels = examples.labels
    orders = [epoch_batches(program.recipe, labels, seed, epoch)[finished:] for seed in seeds]
    rows = [[program.part(batch) for batch in order] for order in orders]
    feeds = zip(*map(partial(take_part, examples), rows, orders), strict=True)
    batches = zip(zip(*orders, strict=True), zip(*rows, strict=True), feeds, strict=True)
    for batch, (positions, parts, taken) in enumerate(batches, finished):
        arguments = [
            {"pixels": p, "labels": labels[i], "reference_masks": m, "hashes": hashes[i]}
            for i, (p, m) in zip(parts, taken, strict=True)
        ]
        stack = jax.tree.map(lambda *a: np.stack(a), *arguments) if program.together else None
        yield batch, list(positions), stack or arguments[0]


def take_part(
    examples: TrainingImages | Streamed, parts: Positions, batches: Positions
) -> Iterator[PixelsAndMasks]:
    """Yield the pixels and reference masks of one process's part of each batch."""
    if isinstance(examples, Streamed):
        return examples.take(parts, batches)
    return examples.take(parts)
