"""Columns of many rows as sequences: Arrow arrays, without a Python object for each row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

CHUNK = 1 << 16  # values that are Python objects at a time


@dataclass(frozen=True, eq=False, repr=False)
class ArrowColumn(Sequence[Any]):
    """Sequence over an Arrow array, whose values become Python objects as they are read."""

    array: Any  # pyarrow.Array or pyarrow.ChunkedArray

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self.array[i].as_py() for i in range(*index.indices(len(self)))]
        return self.array[index].as_py()

    def __iter__(self) -> Iterator[Any]:
        for first in range(0, len(self), CHUNK):
            yield from self.array.slice(first, CHUNK).to_pylist()
