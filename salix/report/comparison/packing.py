"""Arrays as compressed text for the page, and shares as whole numbers."""

import zlib
from base64 import b64encode
from typing import Any

import numpy as np

TYPES = {"int8": "i8", "uint8": "u8", "int16": "i16", "uint16": "u16", "int32": "i32"}
TYPES |= {"float32": "f32"}
MISSING = 65535  # code of an undefined value
TOP = MISSING - 1


def pack(values: Any) -> dict[str, Any]:
    """Return an array as JSON: its type, its shape, and its bytes deflated in base 64.

    Little-endian, in C order; `unpack` of arrays.js reads it. The types are those of `TYPES`.
    """
    array = np.ascontiguousarray(values)
    data = zlib.compress(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes(), 6)
    text = b64encode(data).decode()
    return {"type": TYPES[array.dtype.name], "shape": list(array.shape), "data": text}


def quantise(values: Any) -> dict[str, Any]:
    """Return real values as JSON: codes of 16 bits, value = (code - zero) * step; NaN is 65535.

    0 is exact. The greatest error is half a step, 1 / 131068 of the range of the values.
    """
    x = np.asarray(values, np.float64)
    known = np.isfinite(x)
    low, high = (float(f(x[known], initial=0.0)) for f in (np.min, np.max))
    step = (high - low) / (TOP - 1) or 1.0
    zero = int(np.ceil(-low / step))
    codes = np.where(known, np.rint(np.where(known, x, 0) / step) + zero, MISSING)
    codes = np.where(known, np.clip(codes, 0, TOP), MISSING).astype(np.uint16)
    return {"zero": zero, "step": step, "codes": pack(codes)}
