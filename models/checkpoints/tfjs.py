"""Reader of TensorFlow.js models: of the topology nothing, of the manifest and shards all weights.

A manifest is in a JSON file, its shards in files beside it. As JavaScript that bundlers wrote, the
manifest is an object literal and a shard a string in base64; neither is run.
"""

import base64
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from salix.models.checkpoints.restricted_pickle import shown
from salix.typing import InputError

LIMIT = 1 << 32  # bytes of all shards
_MANIFEST_LIMIT = 1 << 27  # bytes of the file of the manifest, which holds the topology too
_AXES = 64  # of an array, numpy's own limit
_KEY = '"weightsManifest":'
_DTYPES = {"float32": np.float32, "int32": np.int32, "bool": np.bool_, "uint8": np.uint8}
_STORED = {"float16": np.float16, "uint8": np.uint8, "uint16": np.uint16}
# Strings are matched first, so that what looks like code in one is left alone. Possessive
# quantifiers and the look behind a name keep the time linear in hostile text.
_LITERAL = re.compile(
    r'"(?:[^"\\]++|\\.)*+"|(?<![\w$])[A-Za-z_$][\w$]*+(?=:)|![01]|void 0|(?<![\w.])\.(?=\d)'
)
_BASE64 = re.compile(rb'\.exports\s*=\s*"([A-Za-z0-9+/]*={0,2})"')
_WORDS = {"!0": "true", "!1": "false", "void 0": "null", ".": "0."}


def _token(match: re.Match[str]) -> str:
    found = match[0]
    return found if found.startswith('"') else _WORDS.get(found, f'"{found}"')


def _constant(name: str) -> Any:
    raise InputError(f"has {name} in its manifest")


def _manifest(path: Path) -> Any:
    """Return the value of weightsManifest in a file of JSON or JavaScript."""
    if path.stat().st_size > _MANIFEST_LIMIT:
        raise InputError(f"is larger than {_MANIFEST_LIMIT} bytes")
    text = path.read_bytes().decode()
    if path.suffix != ".js":
        return json.loads(text, parse_constant=_constant)["weightsManifest"]
    text = _LITERAL.sub(_token, text)
    if text.count(_KEY) != 1:
        raise InputError("is no bundle of one TensorFlow.js model")
    decoder = json.JSONDecoder(parse_constant=_constant)
    return decoder.raw_decode(text, text.index(_KEY) + len(_KEY))[0]


def find(path: Path) -> Path:
    """Return the file of the manifest: the path itself, or the one in a folder."""
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.json")) or sorted(path.glob("model*.js"))
    named = [file for file in found if file.name == "model.json"] or found
    if len(named) != 1:
        raise InputError(f"{path}: holds {len(found)} manifests of TensorFlow.js, not one")
    return named[0]


def _shard(folder: Path, name: str, left: int) -> bytes:
    """Return what a shard holds, which must lie under the folder of its manifest."""
    beside = [folder / name, folder / f"{name}.min.js", folder / f"{name}.js"]
    path = next((p for p in beside if p.is_file()), None)
    if path is None:
        raise InputError(f"lacks its shard {shown(name)}")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"has a shard outside its folder: {shown(name)}")
    if path.stat().st_size > 2 * left + 4096:  # base64 takes four thirds
        raise InputError(f"has a shard of {path.stat().st_size} bytes, for {left}: {shown(name)}")
    held = path.read_bytes()
    if path.suffix != ".js":
        return held
    strings = _BASE64.findall(held)
    if len(strings) != 1:
        raise InputError(f"has no base64 in its shard {shown(name)}")
    return base64.b64decode(strings[0], validate=True)


def _entries(group: Any) -> Iterator[tuple[str, tuple[int, ...], Any, Any, dict[str, Any]]]:
    """Give the name, shape, type, stored type and quantisation of each weight of a group."""
    for entry in group["weights"]:
        name, shape, quantisation = entry["name"], entry["shape"], entry.get("quantization") or {}
        if not isinstance(name, str):
            raise InputError("has a weight without a name")
        whole = isinstance(shape, list) and len(shape) <= _AXES
        if not whole or any(type(n) is not int or n < 0 for n in shape):
            raise InputError(f"has {shown(name)} of a malformed shape")
        stored = quantisation.get("dtype", entry["dtype"])
        dtype = _DTYPES.get(entry["dtype"])
        kept = _STORED.get(stored) if quantisation else dtype
        if dtype is None or kept is None:
            raise InputError(f"has {shown(name)} of type {shown(str(stored))}")
        yield name, tuple(shape), dtype, kept, quantisation


def _restored(flat: np.ndarray, dtype: Any, quantisation: dict[str, Any]) -> np.ndarray | None:
    """Return x scale + min of quantised numbers x, reckoned in float64 as in JavaScript.

    None where that, or what is not quantised, is out of the range of the type.
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
    """Return what shards hold together, which must be so many bytes."""
    parts: list[bytes] = []
    left = size
    for name in paths:
        parts.append(_shard(folder, name, left))
        left -= len(parts[-1])
        if left < 0 or not parts[-1]:
            break
    if left:
        raise InputError(f"has shards of {size - left} bytes, not {size}")
    return b"".join(parts)


def _group(folder: Path, group: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Give the weights of a group, whose shards are one run of bytes."""
    entries = list(_entries(group))
    sizes = [math.prod(shape) * np.dtype(kept).itemsize for _, shape, _, kept, _ in entries]
    if sum(sizes) > LIMIT:
        raise InputError(f"declares {sum(sizes)} bytes of weights, more than {LIMIT}")
    data, at = _data(folder, group["paths"], sum(sizes)), 0
    for (name, shape, dtype, kept, quantisation), size in zip(entries, sizes, strict=True):
        flat = np.frombuffer(data, np.dtype(kept).newbyteorder("<"), math.prod(shape), at)
        array = _restored(flat, dtype, quantisation)
        if array is None:
            raise InputError(f"has a NaN or an infinity in {shown(name)}")
        at += size
        yield name, array.reshape(shape)


def read_tfjs(path: str | Path) -> dict[str, np.ndarray]:
    """Return the weights of a TensorFlow.js model by name, those that were quantised restored.

    `path` is the file of the manifest, model.json, or a folder with one. Layouts are TensorFlow's:
    kernels HWIO, dense IO. Raises InputError, naming the file, when it is damaged, its shards lie
    outside its folder or have another size than they should, or hold NaN.
    """
    path = find(Path(path))
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    arrays: dict[str, np.ndarray] = {}
    try:
        for group in _manifest(path):
            for name, array in _group(path.parent, group):
                if name in arrays:
                    raise InputError(f"has {shown(name)} twice")
                arrays[name] = array
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        said = shown(str(error).split("\n")[0])
        raise InputError(f"{path}: damaged, or not a TensorFlow.js model ({said})") from None
    except (OverflowError, MemoryError) as error:
        raise InputError(f"{path}: damaged ({type(error).__name__})") from None
    if not arrays:
        raise InputError(f"{path}: holds no weights")
    return arrays
