"""Sequences that hold no Python object for each of their items: texts, and few distinct values."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np


def repeated(texts: Iterable[str]) -> str | None:
    """Return the first text that comes a second time, None where all are different.

    Of each text, eight bytes of a hash are held, and the texts alone whose hashes are equal.
    """
    texts = texts if isinstance(texts, Sequence) else tuple(texts)
    hashes = np.fromiter(map(hash, texts), np.int64, len(texts))
    ordered = np.sort(hashes)
    equal = {*ordered[1:][ordered[1:] == ordered[:-1]].tolist()}
    earlier: set[str] = set()
    for i in np.flatnonzero(np.isin(hashes, list(equal))) if equal else ():
        if texts[int(i)] in earlier:
            return texts[int(i)]
        earlier.add(texts[int(i)])
    return None


class Compact(Sequence[Any]):
    """A sequence that is equal to every sequence of the same items."""

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Mapped(self._item, range(*index.indices(len(self))))
        position = int(index) + len(self) * (index < 0)
        if not 0 <= position < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        return self._item(position)

    def __iter__(self) -> Iterator[Any]:
        return map(self._item, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, (str, bytes)):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        first = ", ".join(map(repr, self[:3]))
        return f"{type(self).__name__}({first}{', …' * (len(self) > 3)}; {len(self)})"

    def _item(self, position: int) -> Any:
        raise NotImplementedError


class Texts(Compact):
    """Texts in one buffer of UTF-8, with four or eight bytes more for each."""

    def __init__(self, texts: Iterable[str]):
        buffer, ends = bytearray(), [np.zeros(1, np.int64)]
        lengths: list[int] = []
        for text in texts:
            encoded = text.encode("utf-8", "surrogatepass")
            buffer += encoded
            lengths.append(len(encoded))
            if len(lengths) == 2**16:
                ends.append(np.cumsum(lengths) + ends[-1][-1])
                lengths = []
        ends.append(np.cumsum(lengths, dtype=np.int64) + ends[-1][-1])
        self._bytes = bytes(buffer)
        self._ends = np.concatenate(ends)
        if len(self._bytes) < 2**32:
            self._ends = self._ends.astype(np.uint32)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def _item(self, position: int) -> str:
        first, last = self._ends[position : position + 2].tolist()
        return self._bytes[first:last].decode("utf-8", "surrogatepass")


class Categories(Compact):
    """Items with few distinct values, such as labels, each value held once."""

    def __init__(self, items: Iterable[Hashable]):
        numbers: dict[tuple[type, Hashable], int] = {}
        keys = ((type(item), item) for item in items)  # 1 and True are equal, and not one label
        self._codes = np.fromiter((numbers.setdefault(k, len(numbers)) for k in keys), np.uint32)
        self._values = [item for _, item in numbers]

    @classmethod
    def constant(cls, item: Hashable, count: int) -> "Categories":
        """Return one item `count` times."""
        result = cls([item])
        result._codes = np.broadcast_to(result._codes, count)
        return result

    def mapped(self, function: Callable[[Any], Any]) -> "Categories":
        """Return the values of a function of the items, computed once for each distinct one."""
        result = Categories([])
        result._codes, result._values = self._codes, [function(value) for value in self._values]
        return result

    def __len__(self) -> int:
        return len(self._codes)

    def _item(self, position: int) -> Any:
        return self._values[self._codes[position]]


class Mapped(Compact):
    """Values of a function of the items of another sequence, computed when they are asked for."""

    def __init__(self, function: Callable[[Any], Any], items: Sequence[Any]):
        self._function, self._items = function, items

    def __len__(self) -> int:
        return len(self._items)

    def _item(self, position: int) -> Any:
        return self._function(self._items[position])


class Chained(Compact):
    """Several sequences in a row."""

    def __init__(self, parts: Iterable[Sequence[Any]]):
        self._parts = list(parts)
        self._ends = np.cumsum([len(part) for part in self._parts])

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._parts else 0

    def place(self, position: int) -> tuple[int, int]:
        """Return the part that has an item, and its position there."""
        part = int(np.searchsorted(self._ends, position, "right"))
        return part, position - int(self._ends[part] - len(self._parts[part]))

    def __iter__(self) -> Iterator[Any]:
        for part in self._parts:
            yield from part

    def _item(self, position: int) -> Any:
        part, inner = self.place(position)
        return self._parts[part][inner]
