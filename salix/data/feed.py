"""Batches of one shape, decoded by threads ahead of whoever takes them."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from salix.data.decode import Unreadable, fit
from salix.data.source import Source
from salix.preprocess import Preprocess

Decoded = (
    tuple[np.ndarray, np.ndarray | None] | str
)  # pixels and reference mask, or the reason for none


@dataclass(frozen=True)
class Batch:
    """Images [slots h w c] and reference masks [slots h w], 8-bit; slots that are not `valid` hold zeros.

    `indices` are the positions in the source, one for each of the first slots, `reasons` those of
    the images that could not be read. `reference_masks` is None if the source has none at all; a reference mask of
    zeros means that one image has none.
    """

    number: int
    indices: range
    images: np.ndarray
    reference_masks: np.ndarray | None
    valid: np.ndarray
    reasons: dict[int, str]


def count_batches(source: Source, size: int) -> int:
    """Return the number of batches of `size` images; the last may be part full."""
    return -(-len(source.ids) // size)


def batches(
    source: Source,
    to: Preprocess,
    size: int,
    numbers: Iterable[int],
    workers: int,
    slots: int | None = None,
    ahead: int = 3,
) -> Iterator[Batch]:
    """Yield the batches `numbers`, with `ahead` of them being decoded by `workers` threads.

    Each holds `size` images (the last one fewer) in `slots` slots, by default as many.

    Batch k always holds the images k size, ..., (k + 1) size - 1, so that a run taken up again
    fills the same slots of the same program. Decoding releases the interpreter lock.
    """
    slots = slots or size
    with ThreadPoolExecutor(workers, thread_name_prefix="salix-decode") as pool:
        waiting: deque[tuple[int, range, list[Future[Decoded]]]] = deque()
        try:
            for number in numbers:
                indices = range(number * size, min((number + 1) * size, len(source.ids)))
                waiting.append(
                    (number, indices, [pool.submit(_read, source, i, to) for i in indices])
                )
                if len(waiting) > ahead:
                    yield _gather(*waiting.popleft(), to, slots, source.has_reference_masks)
            while waiting:
                yield _gather(*waiting.popleft(), to, slots, source.has_reference_masks)
        finally:  # the taker stopped early: do not decode what nobody will see
            pool.shutdown(wait=True, cancel_futures=True)


def _read(source: Source, index: int, to: Preprocess) -> Decoded:
    try:
        image = source.read(index)
        pixels, reference_mask = np.asarray(fit(image, to)), source.reference_mask(index)
        if reference_mask is not None:
            if to.fit == "crop":  # what is cut away is cut from the image's own frame
                frame = image.shape[:2] if isinstance(image, np.ndarray) else image.size[::-1]
                reference_mask = fit(reference_mask, Preprocess(frame, 1))
            reference_mask = np.asarray(fit(reference_mask, Preprocess(to.size, 1, fit=to.fit)))[
                ..., 0
            ]
        return pixels, reference_mask
    except (Unreadable, OSError) as error:
        return str(error)


def _gather(
    number: int,
    indices: range,
    futures: list[Future],
    to: Preprocess,
    slots: int,
    has_reference_masks: bool,
) -> Batch:
    images = np.zeros((slots, *to.size, to.channels), np.uint8)
    reference_masks = np.zeros((slots, *to.size), np.uint8) if has_reference_masks else None
    valid = np.zeros(slots, bool)
    reasons: dict[int, str] = {}
    for slot, (index, future) in enumerate(zip(indices, futures, strict=True)):
        match future.result():
            case str() as reason:
                reasons[index] = reason
            case pixels, reference_mask:
                images[slot], valid[slot] = pixels, True
                if reference_masks is not None and reference_mask is not None:
                    reference_masks[slot] = reference_mask
    return Batch(number, indices, images, reference_masks, valid, reasons)
