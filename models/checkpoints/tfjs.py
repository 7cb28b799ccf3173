"""Reader of the weights in TensorFlow.js models; the topology is ignored.

The manifest is a JSON file, its shards are files beside it. In bundled JavaScript the manifest is
an object literal and a shard a base64 string; neither is run.
"""

import base64
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from salix.models.checkpoints.errors import input_errors, printable
from salix.models.checkpoints.tfjs_manifest import manifest_file, read_manifest
from salix.typing import InputError

__all__ = ["read_tfjs"]

LIMIT = 1 << 32  # bytes of all shards
_AXES = 64  # of an array, numpy's own limit
_DTYPES = {"float32": np.float32, "int32": np.int32, "bool": np.bool_, "uint8": np.uint8}
_STORED = {"float16": np.float16, "uint8": np.uint8, "uint16": np.uint16}
_BASE64 = re.compile(rb'\.exports\s*=\s*"([A-Za-z0-9+/]*={0,2})"')
_DAMAGE = (
    *(ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError),
    *(OverflowError, MemoryError),
)


def _shard(folder: Path, name: str, left: int) -> bytes:
    """Return the bytes of a shard, which must lie under the folder of its manifest."""
    beside = [folder / name, folder / f"{name}.min.js", folder / f"{name}.js"]
    path = next((p for p in beside if p.is_file()), None)
    if path is None:
        raise InputError(f"lacks its shard {printable(name)}")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"has a shard outside its folder: {printable(name)}")
    if path.stat().st_size > 2 * left + 4096:  # base64 takes four thirds
        raise InputError(
            f"has a shard of {path.stat().st_size} bytes, for {left}: {printable(name)}"
        )
    content = path.read_bytes()
    if path.suffix != ".js":
        return content
    strings = _BASE64.findall(content)
    if len(strings) != 1:
        raise InputError(f"has no base64 in its shard {printable(name)}")
    return base64.b64decode(strings[0], validate=True)


class _Entry(NamedTuple):
    """A weight in the manifest; `stored` is the type of its bytes in the shards."""

    name: str
    shape: tuple[int, ...]
    dtype: Any
    stored: Any
    quantisation: dict[str, Any]


def _entries(group: Any) -> Iterator[_Entry]:
    """Yield the weights of a group of the manifest, checked."""
    for entry in group["weights"]:
        name, shape, quantisation = entry["name"], entry["shape"], entry.get("quantization") or {}
        if not isinstance(name, str):
            raise InputError("has a weight without a name")
        is_list = isinstance(shape, list) and len(shape) <= _AXES
        if not is_list or any(type(n) is not int or n < 0 for n in shape):
            raise InputError(f"has {printable(name)} of a malformed shape")
        stored_name = quantisation.get("dtype", entry["dtype"])
        dtype = _DTYPES.get(entry["dtype"])
        stored = _STORED.get(stored_name) if quantisation else dtype
        if dtype is None or stored is None:
            raise InputError(f"has {printable(name)} of type {printable(str(stored_name))}")
        yield _Entry(name, tuple(shape), dtype, stored, quantisation)


def _dequantise(flat: np.ndarray, dtype: Any, quantisation: dict[str, Any]) -> np.ndarray | None:
    """Return q scale + min of quantised numbers q, computed in float64 as JavaScript does.

    None where the result, or a number that is not quantised, is outside the range of the type.
    """
    if not quantisation:
        return flat.astype(dtype) if np.isfinite(flat).all() else None
    values = flat.astype(np.float64)
    if flat.dtype.kind == "u":
        with np.errstate(invalid="ignore", over="ignore"):
            values = values * float(quantisation["scale"]) + float(quantisation["min"])
    limit = 2**31 - 1 if dtype is np.int32 else np.finfo(np.float32).max
    if not (np.abs(values) <= limit).all():
        return None
    return (np.rint(values) if dtype is np.int32 else values).astype(dtype)


def _data(folder: Path, paths: Any, size: int) -> bytes:
    """Return the concatenated shards of a group, `size` bytes."""
    parts: list[bytes] = []
    left = size
    if not isinstance(paths, list) or len(set(paths)) < len(paths):
        raise InputError("names a shard twice")
    for name in paths:
        parts.append(_shard(folder, name, left))
        left -= len(parts[-1])
        if left < 0 or not parts[-1]:
            break
    if left:
        raise InputError(f"has shards of {size - left} bytes, not {size}")
    return b"".join(parts)


def _group(folder: Path, group: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the weights of a group by name."""
    entries = list(_entries(group))
    sizes = [math.prod(entry.shape) * np.dtype(entry.stored).itemsize for entry in entries]
    if sum(sizes) > LIMIT:
        raise InputError(f"declares {sum(sizes)} bytes of weights, more than {LIMIT}")
    data, offset = _data(folder, group["paths"], sum(sizes)), 0
    for (name, shape, dtype, stored, quantisation), size in zip(entries, sizes, strict=True):
        flat = np.frombuffer(data, np.dtype(stored).newbyteorder("<"), math.prod(shape), offset)
        array = _dequantise(flat, dtype, quantisation)
        if array is None:
            raise InputError(f"has a NaN or an infinity in {printable(name)}")
        offset += size
        yield name, array.reshape(shape)


def read_tfjs(path: str | Path) -> dict[str, np.ndarray]:
    """Return the weights of a TensorFlow.js model by name, quantised weights as float32 or int32.

    `path` is the file of the manifest, model.json, or a folder with one. Layouts are TensorFlow's:
    kernels HWIO, dense IO. Raises InputError, naming the file, when it is damaged, its shards lie
    outside its folder or have another total size, or a weight is NaN or infinite.
    """
    path = manifest_file(Path(path))
    arrays: dict[str, np.ndarray] = {}
    with input_errors(path, "a TensorFlow.js model", *_DAMAGE):
        for group in read_manifest(path):
            for name, array in _group(path.parent, group):
                if name in arrays:
                    raise InputError(f"has {printable(name)} twice")
                arrays[name] = array
        if not arrays:
            raise InputError("contains no weights")
    return arrays
