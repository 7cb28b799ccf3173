"""Strict reader of GGUF files: metadata, and tensors of five types as float32 arrays."""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salix.models.checkpoints.errors import existing_file, input_errors, printable
from salix.models.checkpoints.gguf_blocks import BLOCKS, NAMES
from salix.models.checkpoints.naming import NamedArrays
from salix.typing import InputError

__all__ = ["GGUFFile", "read_gguf"]

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
_SCALARS |= {12: "d"}
_TEXT, _ARRAY, _DIMENSIONS = 8, 9, 4


@dataclass(frozen=True)
class GGUFFile:
    """Metadata of a GGUF file by key, and its tensors by name, rows first, as float32."""

    metadata: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


class _Cursor:
    """Bytes of a file, read in order and never beyond the end."""

    def __init__(self, data: memoryview):
        self.data, self.place = data, 0

    def take(self, count: int) -> memoryview:
        if count > len(self.data) - self.place:
            raise InputError(f"is truncated: {count} bytes are expected at {self.place}")
        self.place += count
        return self.data[self.place - count : self.place]

    def numbers(self, code: str) -> tuple[Any, ...]:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))

    def text(self) -> str:
        return str(self.take(self.numbers("Q")[0]), "utf-8")

    def value(self, kind: int) -> Any:
        if kind == _TEXT:
            return self.text()
        if kind == _ARRAY:
            inner, count = self.numbers("IQ")
            if inner == _ARRAY:
                raise InputError("has an array of arrays in its metadata, not supported")
            if inner in _SCALARS:
                size = struct.calcsize(f"<{_SCALARS[inner]}")
                return np.frombuffer(self.take(size * count), f"<{_numpy_code(inner)}").tolist()
            return [self.value(inner) for _ in range(count)]
        if kind not in _SCALARS:
            raise InputError(f"has metadata of the unknown type {kind}")
        return self.numbers(_SCALARS[kind])[0]


def _numpy_code(kind: int) -> str:
    return {"f": "f4", "d": "f8", "?": "?"}.get(_SCALARS[kind], _SCALARS[kind].replace("I", "u4"))


def read_gguf(path: str | Path) -> GGUFFile:
    """Return the metadata and the arrays of a GGUF file of version 2 or 3.

    Tensors are of the types F32, F16, Q8_0, Q4_0 and Q4_1; an array has the shape [rows columns] of
    its layer's matrix. Raises InputError, naming the file, for another type, for a damaged or
    truncated file, and for one of the other byte order.
    """
    path = existing_file(path)
    with input_errors(path, "a GGUF file", OSError, ValueError, struct.error, MemoryError):
        cursor = _Cursor(memoryview(path.read_bytes()))
        if bytes(cursor.take(4)) != b"GGUF":
            raise InputError("is no GGUF file: it does not begin with GGUF")
        (version,) = cursor.numbers("I")
        if version not in (2, 3):
            raise InputError(f"is of GGUF version {version}: versions 2 and 3 are read")
        tensors, keys = cursor.numbers("QQ")
        metadata: dict[str, Any] = {}
        for _ in range(keys):
            key = cursor.text()
            metadata[key] = cursor.value(cursor.numbers("I")[0])
        entries = [_entry(cursor) for _ in range(tensors)]
        alignment = metadata.get("general.alignment", 32)
        start = -(-cursor.place // alignment) * alignment
        arrays: NamedArrays = {}
        for name, shape, kind, offset in entries:
            cursor.place = start + offset
            arrays[name] = _array(cursor, name, shape, kind)
    return GGUFFile(metadata, arrays)


def _entry(cursor: _Cursor) -> tuple[str, tuple[int, ...], int, int]:
    name = cursor.text()
    (count,) = cursor.numbers("I")
    if count > _DIMENSIONS:
        raise InputError(f"has {printable(name)} of {count} dimensions, at most 4 are possible")
    shape = cursor.numbers(f"{count}Q")
    return name, shape[::-1], *cursor.numbers("IQ")


def _array(cursor: _Cursor, name: str, shape: tuple[int, ...], kind: int) -> np.ndarray:
    if kind not in BLOCKS:
        label = NAMES.get(kind, f"of number {kind}")
        raise InputError(
            f"has {printable(name)} of the type {label}, not supported: of the types "
            f"{', '.join(q.name for q in BLOCKS.values())} a file is read; write it again as Q8_0"
        )
    quantisation = BLOCKS[kind]
    count = math.prod(shape)
    if not shape or shape[-1] % quantisation.count:
        raise InputError(f"has rows of {printable(name)} that are no multiple of a block")
    raw = cursor.take(count // quantisation.count * quantisation.size)
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, quantisation.size)
    return quantisation.decode(blocks).reshape(shape)
