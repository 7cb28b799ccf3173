"""Decoder of protocol buffer messages.

A message is a run of fields, each with a number and a wire type: a varint, eight or four bytes, or
a length and that many bytes.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from salix.typing import InputError

__all__ = ["fields", "integers"]

FIELDS = 1_000_000  # in one message; a graph of ten thousand nodes has some tens of thousands
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


def _varint(data: memoryview, start: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, low bits first, and the position after it."""
    value, position = 0, start
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise InputError("is truncated")
        value |= (data[position] & 127) << shift
        position += 1
        if data[position - 1] < 128:
            return value & (1 << 64) - 1, position
    raise InputError("contains a number of more than ten bytes")


def fields(data: memoryview, limit: int = FIELDS) -> Iterator[tuple[int, Any]]:
    """Yield the number and value of each field of a message: varints as int, others as bytes.

    Raises InputError for a malformed message and for one of more than `limit` fields.
    """
    position, count = 0, 0
    while position < len(data):
        key, position = _varint(data, position)
        number, wire_type = key >> 3, key & 7
        count += 1
        if count > limit:
            raise InputError(f"has a message of more than {limit} fields")
        if wire_type == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire_type == _BYTES:
            length, position = _varint(data, position)
        elif wire_type in (_EIGHT, _FOUR):
            length = 8 if wire_type == _EIGHT else 4
        else:
            raise InputError("is not a protocol buffer")
        if length > len(data) - position:
            raise InputError("is truncated")
        yield number, data[position : position + length]
        position += length


def _packed_varints(data: memoryview) -> np.ndarray:
    """Return consecutive varints as int64."""
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw < 128) + 1
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    if len(raw) and (not len(ends) or ends[-1] != len(raw) or (ends - starts).max() > 10):
        raise InputError("contains a malformed list of numbers")
    values = np.zeros(len(ends), np.uint64)
    for place in range(10):
        longer = starts + place < ends
        bits = raw[starts[longer] + place].astype(np.uint64) & np.uint64(127)
        values[longer] |= bits << np.uint64(7 * place)
    return values.view(np.int64)


def integers(values: list[Any]) -> np.ndarray:
    """Return a repeated field of varints, packed or not, as int64."""
    parts = [
        np.array([v], np.uint64).view(np.int64) if isinstance(v, int) else _packed_varints(v)
        for v in values
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
