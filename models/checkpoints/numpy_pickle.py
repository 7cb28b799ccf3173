"""Arrays of NumPy in pickles: stand-ins for the functions that rebuild them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from salix.models.checkpoints.pickle_objects import Opaque
from salix.typing import InputError

__all__ = ["NUMPY_CALLS", "ArrayRecord", "as_array"]

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


def _type(code: Any = None, *_: Any) -> Any:
    return TypeRecord(code) if isinstance(code, str) else Opaque("numpy.dtype")


NUMPY_CALLS: dict[str, Callable[..., Any]] = {
    "_codecs.encode": _encode,
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


def as_array(record: ArrayRecord, texts: dict[int, bytes]) -> np.ndarray | None:
    """Return a record as a read-only array, None for one that is not of numbers.

    `texts` keeps the bytes of texts that are converted already, so that a text which a pickle
    refers to many times is converted once. Raises InputError for a shape of another size.
    """
    if len(record.parts) != _PARTS - 1:
        return None
    shape, type_, fortran, raw = record.parts
    dtype = type_.dtype() if isinstance(type_, TypeRecord) else None
    if isinstance(raw, Encoded):
        if id(raw.text) not in texts:
            texts[id(raw.text)] = raw.text.encode("latin1")
        raw = texts[id(raw.text)]
    if dtype is None or not isinstance(raw, bytes | bytearray):
        return None
    if not isinstance(shape, tuple) or any(type(n) is not int or n < 0 for n in shape):
        raise InputError("contains an array with a malformed shape")
    if math.prod(shape) * dtype.itemsize != len(raw):
        raise InputError("contains an array of another size than its bytes")
    array = np.frombuffer(bytes(raw), dtype).reshape(shape, order="F" if fortran is True else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)
