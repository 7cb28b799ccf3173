"""Arrays of an Orbax checkpoint in the child process of `isolated`, read by tensorstore.

Orbax writes the tree of names as JSON in _METADATA, and each array as Zarr: in a folder of its own,
or all in one OCDBT database.
"""

import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore

_METADATA_LIMIT = 1 << 26  # bytes
_ARRAYS = ("np.ndarray", "jax.Array")
# State of an optimiser is as large as two networks more: it is not read.
_PASSED = re.compile(r"\w*optim\w*|opt_state\w*|tx|rngs?|dropout_rng|dynamic_scale")
_CONTEXT = {"data_copy_concurrency": {"limit": 1}, "file_io_concurrency": {"limit": 4}}


def _spec(path: Path, name: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return what tensorstore opens for one array."""
    if metadata.get("use_ocdbt", (path / "manifest.ocdbt").is_file()):
        base = {"driver": "file", "path": f"{path}/"}
        store = {"driver": "ocdbt", "base": base, "path": f"{name}/"}
    elif (path / name).resolve().is_relative_to(path):
        store = {"driver": "file", "path": f"{path / name}/"}
    else:
        sys.exit(f"names an array outside its folder: {name!a}")
    spec = {"driver": "zarr3" if metadata.get("use_zarr3") else "zarr", "kvstore": store}
    if metadata.get("store_array_data_equal_to_fill_value"):
        spec["fill_missing_data_reads"] = False  # a missing chunk is damage, not zeros
    return spec


def _check(name: str, array: Any) -> int:
    """Return the bytes of an array after checking its type and its chunks."""
    dtype = np.dtype(array.dtype.numpy_dtype)
    if dtype.kind not in "fiub" and not dtype.name.startswith(("bfloat16", "float8")):
        sys.exit(f"contains no plain numbers at {name!a}")
    nbytes = math.prod(array.shape) * dtype.itemsize
    chunk = array.chunk_layout.read_chunk.shape or ()  # None without axes
    if math.prod(chunk) * dtype.itemsize > max(nbytes, 1 << 24):
        sys.exit(f"has chunks larger than the array at {name!a}")
    return nbytes


def read(path: str, limit: int) -> tuple[Any, dict[str, Any]]:
    """Return the keys of each array in the tree, and the arrays by the same dotted names."""
    folder = Path(path).resolve()
    if (folder / "_METADATA").stat().st_size > _METADATA_LIMIT:
        sys.exit(f"has a _METADATA of more than {_METADATA_LIMIT} bytes")
    metadata = json.loads((folder / "_METADATA").read_bytes())
    context = tensorstore.Context(_CONTEXT)
    keys: dict[str, list[str]] = {}
    arrays: dict[str, Any] = {}
    total = 0
    for leaf in metadata["tree_metadata"].values():
        parts = [str(key["key"]) for key in leaf["key_metadata"]]
        value = leaf["value_metadata"]
        is_array = value["value_type"] in _ARRAYS and not value.get("skip_deserialize")
        if not is_array or any(map(_PASSED.fullmatch, parts)):
            continue
        name = ".".join(parts)
        if name in arrays:
            sys.exit(f"has two arrays named {name!a}")
        spec = _spec(folder, name, metadata)
        array = tensorstore.open(spec, open=True, read=True, context=context).result()
        if not array.shape and np.dtype(array.dtype.numpy_dtype).kind in "iub":
            continue  # a step or an epoch
        keys[name], arrays[name] = parts, array
        total += _check(name, array)
        if total > limit:
            sys.exit(f"declares {total} bytes of arrays, more than its size explains")
    return keys, arrays
