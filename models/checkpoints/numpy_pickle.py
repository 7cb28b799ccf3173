"""Arrays of NumPy in pickles: stand-ins for the functions that rebuild them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from salix.models.checkpoints.pickle_objects import Opaque
from salix.typing import InputError

__all__ = ["NUMPY_CALLS", "ArrayRecord", "Converted"]

_KINDS = ("f", "i", "u", "b")  # of numbers
_PARTS = 5  # of the state of an array: version, shape, type, Fortran order, bytes


@dataclass(eq=False)
class Encoded:
    """Bytes that protocols 0 to 2 write as text, not converted before they are needed."""

    text: str


@dataclass(eq=False)
class TypeRecord:
    """A NumPy type of numbers, "f4", and its byte order."""

    code: str
    order: str = "="

    def set_state(self, state: Any) -> None:
        """Read the byte order."""
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "="):
            self.order = state[1]

    def dtype(self) -> np.dtype[Any] | None:
        """Return the type, None for one that is not of numbers."""
        code = self.code.lstrip("<>|=")
        if code[:1] not in _KINDS or not code[1:].isdecimal() or len(code) > 3:
            return None
        return np.dtype(self.order.replace("|", "=") + code)


@dataclass(eq=False)
class ArrayRecord:
    """An array: its shape, type, order of axes and bytes."""

    parts: tuple[Any, ...] = field(default=())

    def set_state(self, state: Any) -> None:
        """Read shape, type, order and bytes."""
        if isinstance(state, tuple) and len(state) == _PARTS:
            self.parts = state[1:]


def _frombuffer(raw: Any, dtype: Any, shape: Any, order: Any = "C") -> ArrayRecord:
    return ArrayRecord((shape, dtype, order == "F", raw))


def _encode(text: Any, encoding: Any = None) -> Any:
    latin = isinstance(text, str) and encoding == "latin1"
    return Encoded(text) if latin else Opaque("_codecs.encode")


def _no_bytes(*arguments: Any) -> Any:
    """Return the bytes of a call without arguments, as protocols 0 to 2 write empty ones."""
    return Opaque("bytes") if arguments else b""


def _type(code: Any = None, *_: Any) -> Any:
    return TypeRecord(code) if isinstance(code, str) else Opaque("numpy.dtype")


NUMPY_CALLS: dict[str, Callable[..., Any]] = {
    "_codecs.encode": _encode,
    "__builtin__.bytes": _no_bytes,
    "builtins.bytes": _no_bytes,
    "numpy.dtype": _type,
    **{
        f"numpy.{core}.{function}": stand_in
        for core in ("core", "_core")
        for function, stand_in in (
            ("multiarray._reconstruct", lambda *_: ArrayRecord()),
            ("numeric._frombuffer", _frombuffer),
        )
    },
}


class Converted:
    """Arrays of records, each made once and all of them no larger than the file."""

    def __init__(self, limit: int):
        self._limit = limit  # bytes
        self._texts: dict[int, bytes] = {}
        self._arrays: dict[int, np.ndarray | None] = {}

    def array(self, record: ArrayRecord) -> np.ndarray | None:
        """Return a record as a read-only array, None for one that is not of numbers.

        Raises InputError for a shape of another size, and beyond the limit of bytes.
        """
        if id(record) not in self._arrays:  # the records live as long as the tree
            self._arrays[id(record)] = self._make(record)
        return self._arrays[id(record)]

    def _bytes(self, raw: Any) -> Any:
        if isinstance(raw, Encoded):
            if id(raw.text) not in self._texts:
                self._texts[id(raw.text)] = raw.text.encode("latin1")
            return self._texts[id(raw.text)]
        return raw

    def _make(self, record: ArrayRecord) -> np.ndarray | None:
        if len(record.parts) != _PARTS - 1:
            return None
        shape, type_, fortran, raw = record.parts
        dtype = type_.dtype() if isinstance(type_, TypeRecord) else None
        raw = self._bytes(raw)
        if dtype is None or not isinstance(raw, bytes | bytearray):
            return None
        if not isinstance(shape, tuple) or any(type(n) is not int or n < 0 for n in shape):
            raise InputError("contains an array with a malformed shape")
        if math.prod(shape) * dtype.itemsize != len(raw):
            raise InputError("contains an array of another size than its bytes")
        self._limit -= len(raw)
        if self._limit < 0:
            raise InputError("contains arrays larger than the file")
        array = np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran is True else "C")
        return array.astype(dtype.newbyteorder("="), copy=False)
