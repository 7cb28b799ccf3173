"""Rows of the store from the columns of a batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from salix.data import Batch, Examples, id_hash
from salix.store.schema import arrow_array, stacked_array
from salix.typing import Column


def id_hashes(batch: Batch, examples: Examples) -> np.ndarray:
    """Return the hash of each id of a batch, from which its random key is folded."""
    hashes = np.zeros(len(batch.valid), np.uint32)
    hashes[: len(batch.indices)] = [id_hash(examples.ids[i]) for i in batch.indices]
    return hashes


def arrow_rows(
    batch: Batch,
    examples: Examples,
    computed: Mapping[str, np.ndarray],
    columns: Sequence[Column],
) -> dict[str, Any]:
    """Return an Arrow array of each column for the examples of a batch, in the order of the data.

    `computed` has the columns [slots ...] of the problem; others are described by the host.
    """
    leaves, structure = jax.tree.flatten(batch.examples)
    described = []
    for slot, index in enumerate(batch.indices):
        row: dict[str, Any] = {"index": index, "id": examples.ids[index]}
        if index in batch.reasons:
            row |= {"skipped": batch.reasons[index]} | examples.describe(index, None)
        else:
            example = structure.unflatten([leaf[slot] for leaf in leaves])
            row |= examples.describe(index, example)
        described.append(row)
    missing = np.array([index in batch.reasons for index in batch.indices])
    arrays = {}
    for column in columns:
        values = computed.get(column.name)
        if values is None:
            arrays[column.name] = arrow_array(column, [row.get(column.name) for row in described])
        else:
            arrays[column.name] = stacked_array(column, values[: len(described)], missing)
    return arrays
