"""Arrays of an HDF5 file in the child process of `isolated`: sizes are checked before memory.

Only hard links are followed, and no array is read whose elements lie in another file.
"""

import math
import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any

import h5py
from h5py import h5l  # pyright: ignore[reportAttributeAccessIssue]

_ENTRIES, _DEPTH = 20_000, 64  # of groups and arrays; more is an attack by links, not a model
_PASSED = ("optimizer", "optimizer_weights")  # state of training


def _nodes(group: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the groups and arrays below a group by path."""
    if depth > _DEPTH:
        sys.exit(f"nests groups more than {_DEPTH} deep")
    for key in group:
        path = f"{name}/{key}" if name else key
        if path in _PASSED:
            continue
        if group.id.links.get_info(key.encode()).type != h5l.TYPE_HARD:
            sys.exit(f"contains a link at {path!a}, which is not followed")
        node = group[key]
        yield path, node
        if isinstance(node, h5py.Group):
            yield from _nodes(node, path, depth + 1)


def _texts(node: Any, name: str) -> list[str] | None:
    """Return an attribute of names; Keras splits one above 64 KB into name0, name1, ..."""
    values: list[Any] = []
    if not len(node.attrs):
        return None
    for key in (name, *(f"{name}{part}" for part in range(1000))):
        if key in node.attrs:
            value = node.attrs[key]
            values += [value] if isinstance(value, str | bytes) else list(value)
        elif key != name:
            break
    texts = [v.decode() if isinstance(v, bytes) else str(v) for v in values]
    return texts if values or name in node.attrs else None


def _is_numeric(node: Any) -> bool:
    """Return whether an array has plain numbers; Keras writes bfloat16 as two opaque bytes."""
    return node.shape is not None and (node.dtype.kind in "fiu" or node.dtype.str == "|V2")


def _check(path: str, array: Any) -> None:
    """End the process for an array whose elements are not all in the file."""
    if array.is_virtual or array.external:
        sys.exit(f"stores {path!a} in another file, which is not read")
    stored, nbytes = array.id.get_storage_size(), array.nbytes
    if array.chunks is None:
        complete = stored >= nbytes
    else:
        grid = [-(-n // c) for n, c in zip(array.shape, array.chunks, strict=True)]
        complete = array.id.get_num_chunks() == math.prod(grid) or not nbytes
        if math.prod(array.chunks) * array.dtype.itemsize > max(nbytes, 1 << 24):
            sys.exit(f"has chunks larger than the array at {path!a}")
    if not complete:
        sys.exit(f"declares {nbytes} bytes at {path!a}, of which {stored} are in the file")


def read(path: str, limit: int) -> tuple[Any, dict[str, Any]]:
    """Return the attributes that name layers and weights by group, and the arrays by path."""
    file = h5py.File(path, "r")
    attributes: dict[str, dict[str, Any]] = {}
    arrays: dict[str, Any] = {}
    total = 0
    for count, (name, node) in enumerate(chain([("", file)], _nodes(file))):
        if count > _ENTRIES:
            sys.exit(f"has more than {_ENTRIES} groups and arrays")
        if isinstance(node, h5py.Group):
            lists = {key: _texts(node, key) for key in ("layer_names", "weight_names", "name")}
            if present := {key: texts for key, texts in lists.items() if texts is not None}:
                attributes[name] = present
        elif isinstance(node, h5py.Dataset) and _is_numeric(node):
            _check(name, node)
            total += node.nbytes
            if total > limit:
                sys.exit(f"declares {total} bytes of arrays, more than its size explains")
            arrays[name] = node
    return attributes, arrays
