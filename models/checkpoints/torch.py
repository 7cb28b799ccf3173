"""Reader of PyTorch files that executes nothing in them.

A PyTorch file is a pickle, which is a program, and the raw bytes of its tensors. The pickle goes
through the restricted unpickler, which knows only the few calls that rebuild a tensor.
"""

import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from salix.models.checkpoints.errors import existing_file, input_errors, printable
from salix.models.checkpoints.restricted_pickle import unpickle
from salix.models.checkpoints.torch_tensors import (
    CALLS,
    Storage,
    TensorRecord,
    storage_loader,
    strided_view,
)
from salix.typing import InputError

__all__ = ["read_torch"]

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # open a file of the format before PyTorch 1.6
DEPTH, LEAVES = 16, 100_000  # of the containers; more is an attack by references, not a model
_NAME = 1000  # characters of a dotted name
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


def _leaves(tree: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested containers in order, their keys joined by dots."""
    if len(name) > _NAME:
        raise InputError(f"has a name of more than {_NAME} characters")
    if isinstance(tree, dict | list | tuple):
        if depth == DEPTH:
            raise InputError(f"nests containers more than {DEPTH} deep")
        for key, child in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _leaves(child, f"{name}.{key}" if name else str(key), depth + 1)
    yield name, tree


def _read_zip(path: Path) -> tuple[Any, Callable[[Storage], bytes]]:
    """Read the format of PyTorch 1.6 and later: an archive of NAME/data.pkl and NAME/data/KEY."""
    with zipfile.ZipFile(path) as archive:
        members = {item.filename: item for item in archive.infolist()}
        stored = [m.file_size for m in members.values() if m.compress_type == zipfile.ZIP_STORED]
        if sum(stored) > path.stat().st_size:
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
        storages: dict[str, Storage] = {}
        tree = unpickle(BytesIO(read(pickles[0])), CALLS, storage_loader(storages))
        raw: dict[str, bytes] = {}
        for key, storage in storages.items():
            width = storage.dtype.itemsize
            raw[key] = read(f"{root}data/{key}", storage.count * width)
            if swap:
                raw[key] = np.frombuffer(raw[key], f"u{width}").byteswap().tobytes()
    return tree, lambda storage: raw[storage.key]


def _read_legacy(path: Path) -> tuple[Any, Callable[[Storage], bytes]]:
    """Read the format before PyTorch 1.6.

    Five pickles: a magic number, a version, the system, the object, the keys of the storages; then
    for each key the number of its elements (8 bytes, little-endian) and the elements.
    """
    stream: BytesIO = BytesIO(path.read_bytes())
    if unpickle(stream, {}) != MAGIC or unpickle(stream, {}) != PROTOCOL:
        raise InputError("is not a PyTorch file")
    unpickle(stream, {})
    storages: dict[str, Storage] = {}
    tree = unpickle(stream, CALLS, storage_loader(storages))
    raw: dict[str, bytes] = {}
    for key in unpickle(stream, {}):
        storage = storages[key]
        if struct.unpack("<q", stream.read(8)) != (storage.count,):
            raise InputError("has a storage of another length than its tensors declare")
        raw[key] = stream.read(storage.count * storage.dtype.itemsize)
        if len(raw[key]) < storage.count * storage.dtype.itemsize:
            raise InputError("is truncated")
    return tree, lambda storage: raw[storage.key]


def read_torch(path: str | Path) -> dict[str, np.ndarray]:
    """Return the tensors of a PyTorch file by dotted name, without running its pickle.

    {"net": {"0.weight": tensor}} is returned as "net.0.weight"; leaves that are not tensors (an
    epoch, a name) are left out. Arrays are read-only views: tensors of one storage share memory.
    Raises InputError, naming the file, for anything but tensors in plain containers.
    """
    path = existing_file(path)
    with input_errors(path, "a PyTorch file", *_DAMAGE):
        with path.open("rb") as file:
            head = file.read(4)
        if head != b"PK\x03\x04" and head[:1] != b"\x80":  # an archive, or a pickle's protocol
            raise InputError("is not a PyTorch file")
        tree, raw = (_read_legacy if head[:1] == b"\x80" else _read_zip)(path)
        arrays: dict[str, np.ndarray] = {}
        for count, (name, leaf) in enumerate(_leaves(tree)):
            if count > LEAVES or name in arrays:
                raise InputError("has too many entries, or one name twice")
            if isinstance(leaf, TensorRecord):
                arrays[name] = strided_view(leaf, raw(leaf.storage), path.stat().st_size)
        if not arrays:
            raise InputError("contains no tensors")
    return arrays
