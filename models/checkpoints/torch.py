"""Reader of PyTorch files that executes nothing in them.

A PyTorch file is a pickle, which is a program, and the raw bytes of its tensors. The pickle goes
through the restricted unpickler, which knows only the few calls that rebuild a tensor.
"""

import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from salix.models.checkpoints.errors import existing_file, input_errors, printable
from salix.models.checkpoints.heads import is_training_state
from salix.models.checkpoints.numpy_pickle import ArrayRecord, Converted
from salix.models.checkpoints.pickle_objects import Opaque
from salix.models.checkpoints.restricted_pickle import unpickle
from salix.models.checkpoints.torch_tensors import (
    CALLS,
    Storage,
    TensorRecord,
    storage_loader,
    strided_view,
)
from salix.typing import InputError

__all__ = ["is_pickle", "read_torch"]

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # open a file of the format before PyTorch 1.6
# of the containers: more is an attack by references, not a model
DEPTH, VISITS, TENSORS = 16, 1_000_000, 30_000
_NAME = 1000  # characters of a dotted name
_CONTAINERS = dict | list | tuple
_LEAVES = TensorRecord | ArrayRecord | Opaque
_DAMAGE = (  # what the parsers raise at bytes that make no sense
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    EOFError,
    OSError,  # zipfile, at an offset before the file
    RuntimeError,  # zipfile, at an encrypted member
    Warning,  # pickletools, at a strange escape in a name, where warnings are errors
    struct.error,
    zipfile.BadZipFile,
)


def _leaves(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested containers that are no numbers or texts, by dotted name."""
    visits = 0

    def walk(tree: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
        nonlocal visits
        if depth == DEPTH:
            raise InputError(f"nests containers more than {DEPTH} deep")
        for key, child in tree.items() if isinstance(tree, dict) else enumerate(tree):
            visits += 1
            if visits > VISITS:
                raise InputError("has too many entries")
            if not isinstance(child, _CONTAINERS | _LEAVES):
                continue
            inner = f"{name}.{key}" if name else str(key)
            if len(inner) > _NAME:
                raise InputError(f"has a name of more than {_NAME} characters")
            if isinstance(child, _LEAVES):
                yield inner, child
            else:
                yield from walk(child, inner, depth + 1)

    if isinstance(tree, _LEAVES):
        yield "", tree
    elif isinstance(tree, _CONTAINERS):
        yield from walk(tree, "", 0)


def _read_zip(path: Path, marks: set[str]) -> tuple[Any, Callable[[Storage], bytes]]:
    """Read the format of PyTorch 1.6 and later: an archive of NAME/data.pkl and NAME/data/KEY."""
    content = path.read_bytes()
    archive = zipfile.ZipFile(BytesIO(content))
    members = {item.filename: item for item in archive.infolist()}
    stored = [m.file_size for m in members.values() if m.compress_type == zipfile.ZIP_STORED]
    if sum(stored) > len(content):
        raise InputError("has members that overlap")
    pickles = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise InputError("is an archive without the data.pkl of PyTorch")

    def read(name: str, least: int = 0) -> bytes:
        item = members.get(name)
        if item is None:
            raise InputError(f"lacks its member {printable(name)}")
        if item.compress_type != zipfile.ZIP_STORED or item.file_size < least:
            raise InputError(f"has a compressed or truncated member {printable(name)}")
        return archive.read(item)

    root = pickles[0].removesuffix("data.pkl")
    order = read(root + "byteorder") if root + "byteorder" in members else b"little"
    swap = order.decode("ascii") != sys.byteorder

    @cache
    def raw(storage: Storage) -> bytes:
        width = storage.dtype.itemsize
        plain = read(f"{root}data/{storage.key}", storage.count * width)
        return np.frombuffer(plain, f"u{width}").byteswap().tobytes() if swap else plain

    storages: dict[str, Storage] = {}
    tree = unpickle(BytesIO(read(pickles[0])), CALLS, storage_loader(storages), marks=marks)
    return tree, raw


def _read_pickles(path: Path, marks: set[str]) -> tuple[Any, Callable[[Storage], bytes]]:
    """Read the format before PyTorch 1.6, or one pickle, of arrays of NumPy.

    Five pickles: a magic number, a version, the system, the object, the keys of the storages; then
    for each key the number of its elements (8 bytes, little-endian) and the elements.
    """
    stream = BytesIO(path.read_bytes())
    first = unpickle(stream, CALLS, marks=marks)
    if isinstance(first, dict):
        return first, lambda storage: b""
    if first != MAGIC or unpickle(stream, {}) != PROTOCOL:
        raise InputError("is not a PyTorch file")
    unpickle(stream, {})
    storages: dict[str, Storage] = {}
    tree = unpickle(stream, CALLS, storage_loader(storages), marks=marks)
    raw: dict[str, bytes] = {}
    for key in unpickle(stream, {}):
        storage = storages[key if isinstance(key, str) else ""]
        if struct.unpack("<q", stream.read(8)) != (storage.count,):
            raise InputError("has a storage of another length than its tensors declare")
        raw[key] = stream.read(storage.count * storage.dtype.itemsize)
        if len(raw[key]) < storage.count * storage.dtype.itemsize:
            raise InputError("is truncated")
    return tree, lambda storage: raw[storage.key]


def is_pickle(head: bytes) -> bool:
    """Return whether the first bytes of a file are of a pickle of protocol 2 to 5."""
    # after them a safetensors file has the rest of a length, zeros, which no pickle has
    return len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5 and head[3:8] != bytes(5)


def read_torch(path: str | Path) -> dict[str, np.ndarray]:
    """Return the tensors of a PyTorch file by dotted name, without running its pickle.

    {"net": {"0.weight": tensor}} is returned as "net.0.weight", and arrays of NumPy like tensors.
    Other leaves (an epoch, a name, a configuration, any object) are left out, and nothing that
    makes them is run. Arrays are read-only views: tensors of one storage share memory. Raises
    InputError, naming the file, for a file without tensors in plain containers.
    """
    path = existing_file(path)
    with input_errors(path, "a PyTorch file", *_DAMAGE):
        with path.open("rb") as file:
            head = file.read(9)
        if not (head.startswith(b"PK\x03\x04") or is_pickle(head)):
            raise InputError("is not a PyTorch file")
        marks: set[str] = set()
        tree, raw = (_read_zip if head[:1] == b"P" else _read_pickles)(path, marks)
        arrays: dict[str, np.ndarray] = {}
        converted = Converted(path.stat().st_size)
        modules: list[str] = []
        for name, leaf in _leaves(tree):
            array = None
            if isinstance(leaf, TensorRecord):
                array = strided_view(leaf, raw(leaf.storage), path.stat().st_size)
            elif isinstance(leaf, ArrayRecord):
                array = converted.array(leaf)
            elif isinstance(leaf, Opaque) and leaf.module:
                modules.append(f"{leaf.name} at {name!r}" if name else leaf.name)
            if array is None:
                continue
            if name in arrays or len(arrays) == TENSORS:
                raise InputError("has too many tensors, or one name twice")
            arrays[name] = array
        if modules and all(map(is_training_state, arrays)):
            raise InputError(
                f"contains a whole module, {printable(modules[0])}, which only its own code can "
                "read: save its state dict, torch.save(model.state_dict(), FILE)"
            )
        if not arrays:
            others = f", only {printable(', '.join(sorted(marks)))}" if marks else ""
            raise InputError(f"contains no tensors in plain containers{others}")
    return arrays
