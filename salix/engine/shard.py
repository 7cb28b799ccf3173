"""Shards of a run: which of its ranges a worker computes."""

import re
from dataclasses import dataclass
from typing import Any

from salix.typing import InputError


@dataclass(frozen=True)
class Shard:
    """Every `count`-th range of a run, from the range `index` on: 0 <= index < count."""

    index: int = 0
    count: int = 1

    def __post_init__(self):
        if self.count < 1:
            raise InputError(f"a run in {self.count} shards: give at least 1, as --shard 0/4")
        if not 0 <= self.index < self.count:
            last = f"{self.count - 1}/{self.count}"
            raise InputError(
                f"shard {self} is out of range: the shards are 0/{self.count} to {last}, counted "
                "from 0"
            )

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def ranges(self, total: int) -> range:
        """Return the numbers of the shard's ranges, of `total` ranges."""
        return range(self.index, total, self.count)


def as_shard(value: Any) -> Shard:
    """Return a shard: None is the whole run; "3/16" and (3, 16) the fourth of sixteen.

    Raises `InputError` for anything else.
    """
    if value is None or isinstance(value, Shard):
        return value or Shard()
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", value) if isinstance(value, str) else None
    pair = (int(match[1]), int(match[2])) if match else value
    if not isinstance(pair, tuple) or len(pair) != 2 or not all(type(n) is int for n in pair):
        raise InputError(
            f"shard is {value!r}: give the shard and the number of shards, as 0/4 to 3/4"
        )
    return Shard(*pair)
