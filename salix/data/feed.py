"""Batches of one shape, loaded ahead by threads or processes."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from salix.data.examples import Examples, ImageExamples
from salix.data.loaders import Futures, Loader, Skip, open_loader, results
from salix.data.source import Source
from salix.preprocess import Preprocess
from salix.typing import InputError


@dataclass(frozen=True)
class Batch:
    """Stacked examples [slots ...]; slots that are not `valid` are zero.

    `indices` are the positions in the data of the first slots, `reasons` those of the examples that
    could not be read.
    """

    number: int
    indices: range
    examples: Any
    valid: np.ndarray
    reasons: Mapping[int, str]


def count_batches(examples: Examples, size: int) -> int:
    """Return the number of batches of `size` examples; the last may be smaller."""
    return -(-len(examples.ids) // size)


def batches(
    examples: Examples,
    example: Any,
    size: int,
    numbers: Iterable[int],
    *,
    workers: int,
    loader: Loader = "threads",
    slots: int | None = None,
    ahead: int = 3,
) -> Iterator[Batch]:
    """Yield the batches `numbers`, with `ahead` of them loaded by `workers` threads or processes.

    `example` is the pytree of shapes and types of one example. A batch has `size` examples (the
    last one fewer) in `slots` slots, by default `size`.

    Batch k always has the examples k size, ..., (k + 1) size - 1, so that a resumed run fills the
    same slots of the same program. Decoding releases the interpreter lock. Processes have
    the examples' `loading`, where they have one, in the place of the examples.
    """
    slots = slots or size
    with open_loader(loader, workers, getattr(examples, "loading", examples).load) as submit:
        waiting: deque[tuple[int, range, Futures]] = deque()
        for number in numbers:
            indices = range(number * size, min((number + 1) * size, len(examples.ids)))
            waiting.append((number, indices, submit(indices)))
            if len(waiting) > ahead:
                yield _stack(*waiting.popleft(), examples, example, slots)
        while waiting:
            yield _stack(*waiting.popleft(), examples, example, slots)


def image_batches(
    source: Source,
    to: Preprocess,
    size: int,
    numbers: Iterable[int],
    workers: int,
    *,
    ahead: int = 3,
) -> Iterator[Batch]:
    """Yield batches of the images of a source, as `ImageExamples` for a preprocessing."""
    images = ImageExamples(source, to)
    return batches(images, images.example, size, numbers, workers=workers, ahead=ahead)


def _stack(
    number: int,
    indices: range,
    futures: Futures,
    examples: Examples,
    example: Any,
    slots: int,
) -> Batch:
    stacked = jax.tree.map(lambda leaf: np.zeros((slots, *leaf.shape), leaf.dtype), example)
    leaves, structure = jax.tree.flatten(stacked)
    valid = np.zeros(slots, bool)
    reasons: dict[int, str] = {}
    for slot, (index, loaded) in enumerate(zip(indices, results(futures), strict=True)):
        if isinstance(loaded, Skip):
            reasons[index] = loaded.reason
            continue
        arrays, loaded_structure = jax.tree.flatten(loaded)
        arrays = [np.asarray(a) for a in arrays]
        if loaded_structure != structure or any(
            array.shape != leaf.shape[1:] or not np.can_cast(array.dtype, leaf.dtype, "same_kind")
            for array, leaf in zip(arrays, leaves, strict=True)
        ):
            raise InputError(
                f"example {examples.ids[index]} is {_shapes(loaded)}, the problem's example "
                f"{_shapes(example)}: load must return these shapes and types, padded where ragged"
            )
        for leaf, array in zip(leaves, arrays, strict=True):
            leaf[slot] = array
        valid[slot] = True
    return Batch(number, indices, stacked, valid, reasons)


def _shapes(tree: Any) -> Any:
    """Return a pytree with each array replaced by its type and shape."""

    def text(leaf: Any) -> str:
        array = leaf if hasattr(leaf, "shape") else np.asarray(leaf)
        return f"{np.dtype(array.dtype).name}{list(array.shape)}"

    return jax.tree.map(text, tree)
