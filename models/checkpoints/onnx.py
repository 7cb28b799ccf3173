"""Reader of the weights in ONNX files: of the graph, only its initialisers are looked at.

An ONNX file is one protocol buffer: fields of (number, wire type), each a varint, eight or four
bytes, or a length and that many bytes. Field numbers as in onnx.proto3 of ONNX 1.x.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from salix.models.checkpoints.restricted_pickle import shown
from salix.typing import InputError

FIELDS = 1_000_000  # in one message; a graph of ten thousand nodes has some tens of thousands
_AXES = 64  # of an array, numpy's own limit
_GRAPH, _INITIALISER = 7, 5  # of a model; of its graph
_DIMS, _TYPE, _FLOATS, _INTS, _LONGS, _NAME, _RAW, _DOUBLES, _UNSIGNED, _LOCATION = (
    *(1, 2, 4, 5, 7),
    *(8, 9, 10, 11, 14),
)
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_DTYPES = {  # number of the type -> the type, and the field that holds it when not raw
    1: (np.dtype(np.float32), _FLOATS),
    2: (np.dtype(np.uint8), _INTS),
    3: (np.dtype(np.int8), _INTS),
    4: (np.dtype(np.uint16), _INTS),
    5: (np.dtype(np.int16), _INTS),
    6: (np.dtype(np.int32), _INTS),
    7: (np.dtype(np.int64), _LONGS),
    9: (np.dtype(np.bool_), _INTS),
    10: (np.dtype(np.float16), _INTS),
    11: (np.dtype(np.float64), _DOUBLES),
    12: (np.dtype(np.uint32), _UNSIGNED),
    13: (np.dtype(np.uint64), _UNSIGNED),
    16: (np.dtype(jnp.bfloat16), _INTS),
}


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, low bits first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise InputError("is truncated")
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value & (1 << 64) - 1, at
    raise InputError("holds a number of more than ten bytes")


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """Walk the fields of one message: numbers as int, the rest as bytes."""
    at, count = 0, 0
    while at < len(data):
        key, at = _varint(data, at)
        form = key & 7
        count += 1
        if count > FIELDS:
            raise InputError(f"has a message of more than {FIELDS} fields")
        if form == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if form not in (_EIGHT, _BYTES, _FOUR):
            raise InputError("is not a protocol buffer")
        length, at = _varint(data, at) if form == _BYTES else ({_EIGHT: 8, _FOUR: 4}[form], at)
        if length > len(data) - at:
            raise InputError("is truncated")
        yield key >> 3, data[at : at + length]
        at += length


def _varints(data: memoryview) -> np.ndarray:
    """Return the numbers that are packed one after the other, as int64."""
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw < 128) + 1
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    if len(raw) and (not len(ends) or ends[-1] != len(raw) or (ends - starts).max() > 10):
        raise InputError("holds a malformed list of numbers")
    values = np.zeros(len(ends), np.uint64)
    for place in range(10):
        there = starts + place < ends
        bits = raw[starts[there] + place].astype(np.uint64) & np.uint64(127)
        values[there] |= bits << np.uint64(7 * place)
    return values.view(np.int64)


def _numbers(values: list[Any]) -> np.ndarray:
    """Return a repeated field of varints, packed or not."""
    parts = [
        np.array([v], np.uint64).view(np.int64) if isinstance(v, int) else _varints(v)
        for v in values
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _flat(fields: dict[int, list[Any]], dtype: np.dtype[Any], field: int) -> np.ndarray:
    """Return the elements of a tensor, in a list of their own type or raw."""
    chunks = fields.get(_RAW) or (fields.get(field, []) if field in (_FLOATS, _DOUBLES) else None)
    if chunks is None:
        wide = _numbers(fields.get(field, []))
        half = field == _INTS and dtype.itemsize == 2 and dtype.kind not in "iu"
        return wide.astype(np.uint16).view(dtype) if half else wide.astype(dtype)
    if any(isinstance(chunk, int) for chunk in chunks):
        raise InputError("holds a malformed list of numbers")
    raw = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    if len(raw) % dtype.itemsize:
        raise InputError("holds a tensor of a broken number of elements")
    return np.frombuffer(raw, dtype.newbyteorder("<") if dtype.kind in "iuf" else dtype)


def _tensor(data: memoryview) -> tuple[str, np.ndarray]:
    fields: dict[int, list[Any]] = {}
    for number, value in _fields(data):
        fields.setdefault(number, []).append(value)
    named = fields.get(_NAME, [b""])[-1]
    if isinstance(named, int):
        raise InputError("holds a tensor with a malformed name")
    name = bytes(named).decode()
    kind = fields.get(_TYPE, [0])[-1]
    if kind not in _DTYPES:
        raise InputError(f"holds {shown(name)} of an unknown type")
    if any(fields.get(_LOCATION, [])):
        raise InputError(f"keeps {shown(name)} in another file")
    shape = _numbers(fields.get(_DIMS, [])).tolist()
    flat = _flat(fields, *_DTYPES[kind])
    if len(shape) > _AXES or any(n < 0 for n in shape) or math.prod(shape) != len(flat):
        raise InputError(f"holds {len(flat)} elements of {shown(name)}, not {shape[:_AXES]}")
    return name, flat.reshape(shape)


def _restored(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Turn integers X_quantized with X_scale and X_zero_point into X = scale (q - zero point).

    Scales of a matrix are those of its columns, scales of a convolution OIHW of its outputs: what
    the dynamic quantisation of ONNX Runtime writes.
    """
    result = dict(arrays)
    for name in [n for n in arrays if n.endswith("_quantized")]:
        stem = name.removesuffix("_quantized")
        q, scale, zero = (
            result.pop(n, None) for n in (name, f"{stem}_scale", f"{stem}_zero_point")
        )
        if q is None or scale is None or zero is None or scale.shape != zero.shape:
            raise InputError(f"lacks the scales of {shown(name)}")
        if scale.dtype.kind != "f" or any(a.dtype.kind not in "iu" for a in (q, zero)):
            raise InputError(f"holds no integers with scales in {shown(name)}")
        axis = 0 if q.ndim > 2 else q.ndim - 1
        if scale.size > 1 and (scale.ndim != 1 or q.ndim == 0 or q.shape[axis] != scale.size):
            raise InputError(f"has {scale.size} scales for {shown(name)} of shape {q.shape}")
        along = [scale.size if a == axis else 1 for a in range(q.ndim)]
        steps = q.astype(np.int32) - zero.astype(np.int32).reshape(along)
        result[stem] = scale.astype(np.float32).reshape(along) * steps.astype(np.float32)
    return result


def _head(path: Path) -> dict[str, np.ndarray]:
    """Return the linear layer in a JSON file: an object with numbers `weights` and `bias`."""
    try:
        held = json.loads(path.read_bytes())
        both = {key: np.array(held[key], np.float32) for key in ("weights", "bias")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise InputError(f"{path}: no linear head in JSON ({type(error).__name__})") from None
    return {f"{path.stem}.{key}": array for key, array in both.items()}


def read_onnx(path: str | Path) -> dict[str, np.ndarray]:
    """Return the initialisers of an ONNX file by name, integers of quantised weights restored.

    The graph is not run, and weights in its Constant nodes or in other files are not read. A
    folder is read as the one .onnx file in it, with the `weights` and `bias` of each .json file
    STEM there as "STEM.weights" and "STEM.bias". Raises InputError, naming the file.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(path.glob("*.onnx"))
        if len(found) != 1:
            raise InputError(f"{path}: holds {len(found)} ONNX files, not one")
        heads = [_head(other) for other in sorted(path.glob("*.json"))]
        return read_onnx(found[0]) | {name: a for head in heads for name, a in head.items()}
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        graphs = [v for n, v in _fields(memoryview(path.read_bytes())) if n == _GRAPH]
        if len(graphs) != 1 or isinstance(graphs[0], int):
            raise InputError("is not an ONNX file")
        arrays: dict[str, np.ndarray] = {}
        for number, value in _fields(graphs[0]):
            if number != _INITIALISER:
                continue
            if isinstance(value, int):
                raise InputError("is not an ONNX file")
            name, array = _tensor(value)
            if name in arrays:
                raise InputError(f"has {shown(name)} twice")
            arrays[name] = array
        arrays = _restored(arrays)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (ValueError, OverflowError, MemoryError) as error:
        said = shown(str(error).split("\n")[0])
        raise InputError(f"{path}: damaged, or not an ONNX file ({said})") from None
    if not arrays:
        raise InputError(f"{path}: holds no initialisers")
    return arrays
