"""Sequences that hold no Python object for each of their items: views, and few distinct values."""

from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

PIECE = 1 << 20  # items that are counted at once


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


def _typed(item: Any) -> Hashable:
    return type(item), item  # 1 and True are equal, and not one label


class CategoriesBuilder:
    """Items with few distinct values, to which more are appended."""

    def __init__(self, key: Callable[[Any], Hashable] | None = None):
        self.key = key or _typed
        self.numbers: dict[Hashable, int] = {}
        self.values: list[Any] = []
        self.codes = array("I")

    def append(self, item: Any) -> None:
        """Add an item."""
        number = self.numbers.setdefault(self.key(item), len(self.values))
        if number == len(self.values):
            self.values.append(item)
        self.codes.append(number)

    def content(self) -> tuple[np.ndarray, list[Any]]:
        """Return the position of each item's value, and the values."""
        return np.frombuffer(self.codes, np.uint32), self.values


class Categories(Compact):
    """Items with few distinct values, such as labels, each value held once.

    Items of one `key` are one value, by default those of one type that are equal.
    """

    def __init__(self, items: Iterable[Any] = (), *, key: Callable[[Any], Hashable] | None = None):
        builder = CategoriesBuilder(key)
        for item in items:
            builder.append(item)
        self._codes, self._values = builder.content()

    @classmethod
    def constant(cls, item: Hashable, count: int) -> "Categories":
        """Return one item `count` times."""
        return cls.from_codes(np.broadcast_to(np.uint32(0), count), [item])

    @classmethod
    def from_codes(cls, codes: np.ndarray, values: list[Any]) -> "Categories":
        """Return items by the positions of their values."""
        result = cls()
        result._codes, result._values = codes, values
        return result

    def mapped(self, function: Callable[[Any], Any]) -> "Categories":
        """Return the values of a function of the items, computed once for each distinct one."""
        return self.from_codes(self._codes, [function(value) for value in self._values])

    def take(self, positions: np.ndarray | None) -> "Categories":
        """Return the items at `positions`, these where None."""
        if positions is None:
            return self
        return self.from_codes(self._codes[positions], self._values)

    def counts(self) -> Iterator[tuple[Any, int]]:
        """Yield each distinct item with the number of its occurrences."""
        counts = np.zeros(len(self._values), np.int64)
        for first in range(0, len(self), PIECE):
            counts += np.bincount(self._codes[first : first + PIECE], minlength=len(counts))
        return ((v, n) for v, n in zip(self._values, counts.tolist(), strict=True) if n)

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
