"""Reader of the initialisers in ONNX files; the graph is not evaluated.

Field numbers as in onnx.proto3 of ONNX 1.x.
"""

import json
import math
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from salix.models.checkpoints.errors import existing_file, input_errors, printable
from salix.models.checkpoints.protobuf import fields, integers
from salix.typing import InputError

__all__ = ["read_onnx"]

_AXES = 64  # of an array, numpy's own limit
# Time goes with the fields, not with the bytes: dimensions, a name, a type, a run of numbers
_TENSORS, _TENSOR_FIELDS = 50_000, 128
_CONFIGS = {"config.json", "preprocessor_config.json"}  # of Hugging Face
_HEAD_LIMIT = 1 << 24  # bytes of a linear head in JSON
_GRAPH, _INITIALISER = 7, 5  # of a model; of its graph
_DIMS, _TYPE, _FLOATS, _INTS, _LONGS, _NAME, _RAW, _DOUBLES, _UNSIGNED, _LOCATION = (
    *(1, 2, 4, 5, 7),
    *(8, 9, 10, 11, 14),
)
_DTYPES = {  # number of the type -> the type, and the field of its elements when not raw
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


def _elements(message: dict[int, list[Any]], dtype: np.dtype[Any], field: int) -> np.ndarray:
    """Return the elements of a tensor, flat, from its raw bytes or from the field of its type."""
    chunks = message.get(_RAW)
    if not chunks and field in (_FLOATS, _DOUBLES):
        chunks = message.get(field, [])
    if chunks is None:
        wide = integers(message.get(field, []))
        is_half = field == _INTS and dtype.itemsize == 2 and dtype.kind not in "iu"
        return wide.astype(np.uint16).view(dtype) if is_half else wide.astype(dtype)
    if any(isinstance(chunk, int) for chunk in chunks):
        raise InputError("contains a malformed list of numbers")
    raw = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    if len(raw) % dtype.itemsize:
        raise InputError("contains a tensor of a broken number of elements")
    return np.frombuffer(raw, dtype.newbyteorder("<") if dtype.kind in "iuf" else dtype)


def _tensor(data: memoryview) -> tuple[str, np.ndarray]:
    """Return the name and the array of one initialiser."""
    message: dict[int, list[Any]] = {}
    for number, value in fields(data, _TENSOR_FIELDS):
        message.setdefault(number, []).append(value)
    raw_name = message.get(_NAME, [b""])[-1]
    if isinstance(raw_name, int):
        raise InputError("contains a tensor with a malformed name")
    name = bytes(raw_name).decode()
    kind = message.get(_TYPE, [0])[-1]
    if kind not in _DTYPES:
        raise InputError(f"contains {printable(name)} of an unknown type")
    if any(message.get(_LOCATION, [])):
        raise InputError(
            f"stores {printable(name)} in another file, which is not read: save the model in one "
            "file, with onnx.save_model(..., save_as_external_data=False)"
        )
    shape = integers(message.get(_DIMS, [])).tolist()
    flat = _elements(message, *_DTYPES[kind])
    if len(shape) > _AXES or any(n < 0 for n in shape) or math.prod(shape) != len(flat):
        elements = f"{len(flat)} elements of {printable(name)}"
        raise InputError(f"contains {elements}, not {shape[:_AXES]}")
    return name, flat.reshape(shape)


def _dequantise(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return X = scale (q - zero point) for X_quantized with X_scale and X_zero_point.

    A matrix has one scale or one for each column, a convolution OIHW one for each output: the
    output of ONNX Runtime's dynamic quantisation.
    """
    result = dict(arrays)
    for name in [n for n in arrays if n.endswith("_quantized")]:
        stem = name.removesuffix("_quantized")
        q, scale, zero = (
            result.pop(n, None) for n in (name, f"{stem}_scale", f"{stem}_zero_point")
        )
        if q is None or scale is None or zero is None or scale.shape != zero.shape:
            raise InputError(f"lacks the scales of {printable(name)}")
        if scale.dtype.kind != "f" or any(a.dtype.kind not in "iu" for a in (q, zero)):
            raise InputError(f"contains no integers with scales in {printable(name)}")
        axis = 0 if q.ndim > 2 else q.ndim - 1
        if scale.size > 1 and (scale.ndim != 1 or q.ndim == 0 or q.shape[axis] != scale.size):
            raise InputError(f"has {scale.size} scales for {printable(name)} of shape {q.shape}")
        along = [scale.size if a == axis else 1 for a in range(q.ndim)]
        steps = q.astype(np.int32) - zero.astype(np.int32).reshape(along)
        result[stem] = scale.astype(np.float32).reshape(along) * steps.astype(np.float32)
    return result


def _read_head(path: Path) -> dict[str, np.ndarray]:
    """Return the linear layer in a JSON file: an object with numbers `weights` and `bias`."""
    try:
        if path.stat().st_size > _HEAD_LIMIT:
            raise InputError(f"{path}: is larger than {_HEAD_LIMIT} bytes")
        content = json.loads(path.read_bytes())
        layer = {key: np.array(content[key], np.float32) for key in ("weights", "bias")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise InputError(f"{path}: no linear head in JSON ({type(error).__name__})") from None
    return {f"{path.stem}.{key}": array for key, array in layer.items()}


def read_onnx(path: str | Path) -> dict[str, np.ndarray]:
    """Return the initialisers of an ONNX file by name, quantised weights as float32.

    Weights in Constant nodes or in other files are not read. A folder is read as the one .onnx
    file in it, with the `weights` and `bias` of each .json file STEM there as "STEM.weights" and
    "STEM.bias". Raises InputError, naming the file.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(path.glob("*.onnx"))
        if len(files) != 1:
            raise InputError(f"{path}: contains {len(files)} ONNX files, not one")
        heads = [_read_head(p) for p in sorted(path.glob("*.json")) if p.name not in _CONFIGS]
        return read_onnx(files[0]) | {name: a for head in heads for name, a in head.items()}
    path = existing_file(path)
    with input_errors(path, "an ONNX file", ValueError, OverflowError, MemoryError):
        graphs = [v for n, v in fields(memoryview(path.read_bytes())) if n == _GRAPH]
        if len(graphs) != 1 or isinstance(graphs[0], int):
            raise InputError("is not an ONNX file")
        arrays: dict[str, np.ndarray] = {}
        for number, value in fields(graphs[0]):
            if number != _INITIALISER:
                continue
            if isinstance(value, int) or len(arrays) == _TENSORS:
                raise InputError(f"is not an ONNX file of at most {_TENSORS} tensors")
            name, array = _tensor(value)
            if name in arrays:
                raise InputError(f"has {printable(name)} twice")
            arrays[name] = array
        if not arrays:
            raise InputError("contains no initialisers")
        return _dequantise(arrays)
