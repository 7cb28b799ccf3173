"""Rows of the store from the columns of a batch."""

from typing import Any

import jax
import numpy as np

from salix.data import Batch, Examples, id_hash


def id_hashes(batch: Batch, examples: Examples) -> np.ndarray:
    """Return the hash of each id of a batch, from which its random key is folded."""
    hashes = np.zeros(len(batch.valid), np.uint32)
    hashes[: len(batch.indices)] = [id_hash(examples.ids[i]) for i in batch.indices]
    return hashes


def make_rows(
    batch: Batch, examples: Examples, columns: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Return one row for each example of a batch, in the order of the data."""
    rows = []
    for slot, index in enumerate(batch.indices):
        row: dict[str, Any] = {"index": index, "id": examples.ids[index]}
        if index in batch.reasons:
            row |= {"skipped": batch.reasons[index]} | examples.describe(index, None)
        else:
            example = jax.tree.map(lambda a, slot=slot: a[slot], batch.examples)
            row |= examples.describe(index, example)
            row |= {name: column[slot] for name, column in columns.items()}
        rows.append(row)
    return rows
