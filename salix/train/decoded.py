"""Images of a source decoded into memory, each by one of the processes of a training."""

from collections.abc import Iterator
from dataclasses import dataclass

import jax
import numpy as np

from salix.data import Batch, Source, image_batches
from salix.preprocess import Preprocess
from salix.train.exchange import exchange, gather_arrays

BATCH = 64  # images


@dataclass(frozen=True, eq=False)
class Decoded:
    """Readable images, in the order of their source, and the reasons of the others by position."""

    positions: np.ndarray
    pixels: np.ndarray
    reference_masks: np.ndarray | None
    reasons: tuple[tuple[int, str], ...]


def decode(source: Source, preprocess: Preprocess, workers: int) -> Decoded:
    """Decode the images of a source; of n processes, number k decodes every n-th batch from k."""
    count = -(-len(source.ids) // BATCH)
    numbers = range(jax.process_index(), count, jax.process_count())
    positions, pixels, masks, reasons = [], [], [], []
    decoded = image_batches(source, preprocess, BATCH, numbers, workers)
    for number, arrays in _exchanged(decoded, source, preprocess, count, reasons):
        valid = np.flatnonzero(arrays["valid"])
        positions.append(number * BATCH + valid)
        pixels.append(arrays["pixels"][valid])
        if "reference_mask" in arrays:
            masks.append(arrays["reference_mask"][valid])
    reasons = sorted((i, why) for part in exchange(reasons) for i, why in part)
    reference_masks = np.concatenate(masks) if masks else None
    return Decoded(
        np.concatenate(positions), np.concatenate(pixels), reference_masks, tuple(reasons)
    )


def _exchanged(
    decoded: Iterator[Batch],
    source: Source,
    preprocess: Preprocess,
    count: int,
    reasons: list[tuple[int, str]],
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Yield number and arrays of all batches, in order; adds the reasons of this process."""
    size = preprocess.size
    empty: dict[str, np.ndarray] = {
        "pixels": np.zeros((BATCH, *size, preprocess.channels), np.uint8)
    }
    if source.has_reference_masks:
        empty["reference_mask"] = np.zeros((BATCH, *size), np.uint8)
    empty["valid"] = np.zeros(BATCH, bool)
    for first in range(0, count, jax.process_count()):
        batch = next(decoded, None)
        arrays = empty
        if batch is not None:
            arrays = {name: batch.examples[name] for name in empty if name != "valid"}
            arrays["valid"] = batch.valid
            reasons += batch.reasons.items()
        numbers = range(first, min(first + jax.process_count(), count))
        yield from zip(numbers, gather_arrays(arrays), strict=False)
