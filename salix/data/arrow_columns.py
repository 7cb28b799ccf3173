"""Columns of many rows as sequences: Arrow arrays, without a Python object for each row."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from salix.data.texts import Compact

CHUNK = 1 << 16  # values that are Python objects at a time


@dataclass(frozen=True, eq=False, repr=False)
class ArrowColumn(Compact):
    """Sequence over an Arrow array, whose values become Python objects as they are read."""

    array: Any  # pyarrow.Array or pyarrow.ChunkedArray

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[Any]:
        for first in range(0, len(self), CHUNK):
            yield from self.array.slice(first, CHUNK).to_pylist()

    def _item(self, position: int) -> Any:
        return self.array[position].as_py()
