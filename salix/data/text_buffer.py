"""Texts in one buffer, with an order and repeats that need no Python object for each."""

from array import array
from collections.abc import Iterable
from typing import Any

import numpy as np

from salix.data.texts import Compact

PIECE = 1 << 16  # texts that are copied at once


class TextsBuilder:
    """Texts in one buffer of UTF-8, to which more are appended."""

    def __init__(self):
        self.buffer, self.lengths = bytearray(), array("I")

    def append(self, text: str) -> None:
        """Add a text."""
        encoded = text.encode("utf-8", "surrogatepass")
        self.buffer += encoded
        self.lengths.append(len(encoded))

    def build(self) -> "Texts":
        """Return the texts; nothing can be appended any more."""
        return Texts.from_buffer(self.buffer, np.frombuffer(self.lengths, np.uint32))


class Texts(Compact):
    """Texts in one buffer of UTF-8, with four or eight bytes more for each."""

    _bytes: bytearray
    _ends: np.ndarray  # 0, and the end of each text

    def __init__(self, texts: Iterable[str]):
        builder = TextsBuilder()
        for text in texts:
            builder.append(text)
        built = builder.build()
        self._bytes, self._ends = built._bytes, built._ends

    @classmethod
    def from_buffer(cls, buffer: bytearray, lengths: np.ndarray) -> "Texts":
        """Return texts by their lengths in a buffer of UTF-8, which they share."""
        texts = cls.__new__(cls)
        texts._bytes = buffer
        texts._ends = np.zeros(len(lengths) + 1, np.uint32 if len(buffer) < 2**32 else np.uint64)
        np.cumsum(lengths, dtype=texts._ends.dtype, out=texts._ends[1:])
        return texts

    def __len__(self) -> int:
        return len(self._ends) - 1

    def _item(self, position: int) -> str:
        first, last = self._ends[position : position + 2].tolist()
        return self._bytes[first:last].decode("utf-8", "surrogatepass")

    @property
    def arrow(self) -> Any:
        """The texts as an Arrow array of bytes, whose order is that of code points."""
        import pyarrow as pa

        ends, kind = self._ends, pa.large_binary()
        if ends[-1] < 2**31:
            ends, kind = ends.view(np.int32), pa.binary()
        buffers = [None, pa.py_buffer(ends.astype(np.int64) if kind == pa.large_binary() else ends)]
        return pa.Array.from_buffers(kind, len(self), [*buffers, pa.py_buffer(self._bytes)])

    def order(self) -> np.ndarray | None:
        """Return the positions of the texts in ascending order, None where they are in order.

        Equal texts stay in their order.
        """
        pc = _compute()
        texts = self.arrow
        if len(self) < 2 or pc.all(pc.less_equal(texts[:-1], texts[1:])).as_py():
            return None
        return pc.sort_indices(texts).to_numpy()

    def take(self, positions: np.ndarray | None) -> "Texts":
        """Return the texts at `positions`, these where None."""
        if positions is None:
            return self
        import pyarrow as pa

        texts, buffer, lengths = self.arrow, bytearray(), np.diff(self._ends)
        for first in range(0, len(positions), PIECE):
            piece = texts.take(pa.array(positions[first : first + PIECE]))
            size = int(lengths[positions[first : first + PIECE]].sum(dtype=np.int64))
            buffer += memoryview(piece.buffers()[2])[:size]
        return Texts.from_buffer(buffer, lengths[positions])

    def repeats(self) -> np.ndarray:
        """Return the positions of texts that are equal to the one before."""
        pc = _compute()
        texts = self.arrow
        equal = pc.equal(texts[1:], texts[:-1]).to_numpy(zero_copy_only=False)
        return np.flatnonzero(equal) + 1


def _compute() -> Any:
    """Return Arrow's functions, which are made as their module is imported."""
    import pyarrow.compute

    return pyarrow.compute
