"""Reader of PyTorch files that executes nothing of what is in them.

A PyTorch file is a pickle, which is a program, plus the raw bytes of its tensors. The pickle goes
through `salix.models.checkpoints.restricted_pickle`, which knows only the few calls that rebuild
a tensor.
"""

import math
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from salix.models.checkpoints.restricted_pickle import Global, Ordered, execute, fill, shown
from salix.typing import InputError

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # open a file of the format before PyTorch 1.6
DEPTH, LEAVES = 16, 100_000  # of the containers; more is an attack by references, not a model
_AXES = 64  # of an array, numpy's own limit
_NAME = 1000  # characters of a dotted name

_DTYPES = {
    "torch.DoubleStorage": np.dtype(np.float64),
    "torch.FloatStorage": np.dtype(np.float32),
    "torch.HalfStorage": np.dtype(np.float16),
    "torch.BFloat16Storage": np.dtype(jnp.bfloat16),
    "torch.LongStorage": np.dtype(np.int64),
    "torch.IntStorage": np.dtype(np.int32),
    "torch.ShortStorage": np.dtype(np.int16),
    "torch.CharStorage": np.dtype(np.int8),
    "torch.ByteStorage": np.dtype(np.uint8),
    "torch.BoolStorage": np.dtype(np.bool_),
}
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


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    count: int  # of elements


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def _storage(identity: Any) -> _Storage:
    """Return the storage of a persistent id: ("storage", type, key, device, count[, view])."""
    if not isinstance(identity, tuple) or identity[0] != "storage":
        raise InputError("holds a whole module, not tensors (save the state dict alone)")
    _, type_, key, _, count, *view = identity
    name = type_.name if isinstance(type_, Global) else type(type_).__name__
    if name not in _DTYPES:
        raise InputError(f"holds a storage of an unknown type, {shown(name)}")
    if not isinstance(key, str) or type(count) is not int or count < 0 or any(view):
        raise InputError("holds a malformed storage")
    return _Storage(key, _DTYPES[name], count)


def _loader(storages: dict[str, _Storage]) -> Callable[[Any], _Storage]:
    """Return the function of a persistent id that enters its storage among `storages`."""

    def load(identity: Any) -> _Storage:
        storage = _storage(identity)
        if storages.setdefault(storage.key, storage) != storage:
            raise InputError("gives one storage two types")
        return storage

    return load


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> _Tensor:
    """Return the record of a tensor; its gradient flag, hooks and metadata are dropped."""
    if not isinstance(storage, _Storage) or not isinstance(size, tuple):
        raise InputError("holds a malformed tensor")
    if not isinstance(stride, tuple) or len(size) != len(stride) or len(size) > _AXES:
        raise InputError("holds a malformed tensor")
    if any(type(n) is not int or n < 0 for n in (offset, *size, *stride)):
        raise InputError("holds a tensor with a malformed shape")
    return _Tensor(storage, offset, size, stride)


def _ordered(pairs: Any = None) -> Ordered:
    """Return the OrderedDict of a list of pairs, as Python 2 wrote it, or an empty one.

    The list is used up, so that a pickle cannot have it copied over and over.
    """
    if pairs is None:
        return Ordered()
    if type(pairs) is not list:
        raise InputError("has a malformed OrderedDict")
    made = fill(Ordered(), [item for key, value in pairs for item in (key, value)])
    pairs.clear()
    return made


def _size(size: Any = ()) -> Any:
    return size


def _parameter(data: Any, *_: Any) -> Any:
    return data


_CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered,
    "torch.Size": _size,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
}


def _view(tensor: _Tensor, raw: bytes, limit: int) -> np.ndarray:
    """Return the view of its storage that a tensor is, after checking that it lies inside."""
    count = math.prod(tensor.size)
    if count == 0:
        return np.zeros(tensor.size, tensor.storage.dtype)
    steps = zip(tensor.size, tensor.stride, strict=True)
    last = tensor.offset + sum((n - 1) * step for n, step in steps)
    if last >= tensor.storage.count:
        raise InputError("holds a tensor that reaches outside its storage")
    dtype = tensor.storage.dtype
    if count * dtype.itemsize > limit:  # a stride of 0 makes terabytes of four bytes
        raise InputError("holds a tensor larger than the file")
    flat = np.frombuffer(raw, dtype, tensor.storage.count)[tensor.offset :]
    strides = [step * dtype.itemsize for step in tensor.stride]
    return np.lib.stride_tricks.as_strided(flat, tensor.size, strides, writeable=False)


def _leaves(tree: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Walk containers in order, joining keys by dots."""
    if len(name) > _NAME:
        raise InputError(f"has a name of more than {_NAME} characters")
    if isinstance(tree, dict | list | tuple):
        if depth == DEPTH:
            raise InputError(f"nests containers more than {DEPTH} deep")
        for key, child in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _leaves(child, f"{name}.{key}" if name else str(key), depth + 1)
    yield name, tree


def _read_zip(path: Path) -> tuple[Any, Callable[[_Storage], bytes]]:
    """Read the format of PyTorch 1.6 and later: an archive of NAME/data.pkl and NAME/data/KEY."""
    with zipfile.ZipFile(path) as archive:
        members = {item.filename: item for item in archive.infolist()}
        found = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(found) != 1:
            raise InputError("is an archive without the data.pkl of PyTorch")

        def read(name: str, least: int = 0) -> bytes:
            item = members.get(name)
            if item is None:
                raise InputError(f"lacks its member {shown(name)}")
            if item.compress_type != zipfile.ZIP_STORED or item.file_size < least:
                raise InputError(f"has a compressed or truncated member {shown(name)}")
            return archive.read(item)

        root = found[0].removesuffix("data.pkl")
        order = read(root + "byteorder") if root + "byteorder" in members else b"little"
        swap = order.decode("ascii") != sys.byteorder
        storages: dict[str, _Storage] = {}
        tree = execute(BytesIO(read(found[0])), _CALLS, _loader(storages))
        raw: dict[str, bytes] = {}
        for key, storage in storages.items():
            bytes_ = read(f"{root}data/{key}", storage.count * storage.dtype.itemsize)
            raw[key] = _swapped(bytes_, storage.dtype.itemsize) if swap else bytes_
    return tree, lambda storage: raw[storage.key]


def _swapped(raw: bytes, width: int) -> bytes:
    return np.frombuffer(raw, f"u{width}").byteswap().tobytes()


def _read_legacy(path: Path) -> tuple[Any, Callable[[_Storage], bytes]]:
    """Read the older format.

    Five pickles: a magic number, a version, the system, the object, the keys of the storages; then
    for each key the number of its elements (8 bytes, little-endian) and the elements.
    """
    stream: BytesIO = BytesIO(path.read_bytes())
    if execute(stream, {}) != MAGIC or execute(stream, {}) != PROTOCOL:
        raise InputError("is not a PyTorch file")
    execute(stream, {})
    storages: dict[str, _Storage] = {}
    tree = execute(stream, _CALLS, _loader(storages))
    raw: dict[str, bytes] = {}
    for key in execute(stream, {}):
        storage = storages[key]
        if struct.unpack("<q", stream.read(8)) != (storage.count,):
            raise InputError("has a storage of another length than its tensors say")
        raw[key] = stream.read(storage.count * storage.dtype.itemsize)
        if len(raw[key]) < storage.count * storage.dtype.itemsize:
            raise InputError("is truncated")
    return tree, lambda storage: raw[storage.key]


def read_torch(path: str | Path) -> dict[str, np.ndarray]:
    """Return the tensors of a PyTorch file by dotted name, without running its pickle.

    {"net": {"0.weight": tensor}} comes out as "net.0.weight"; what is not a tensor (an epoch, a
    name) is left out. Arrays are read-only views: tensors that share a storage share memory.
    Raises InputError, naming the file, for anything but tensors in plain containers.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head != b"PK\x03\x04" and head[:1] != b"\x80":  # an archive, or a pickle's protocol
            raise InputError("is not a PyTorch file")
        tree, raw = (_read_legacy if head[:1] == b"\x80" else _read_zip)(path)
        arrays: dict[str, np.ndarray] = {}
        for count, (name, leaf) in enumerate(_leaves(tree)):
            if count > LEAVES or name in arrays:
                raise InputError("has too many entries, or one name twice")
            if isinstance(leaf, _Tensor):
                arrays[name] = _view(leaf, raw(leaf.storage), path.stat().st_size)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except _DAMAGE as error:
        said = shown(str(error).split("\n")[0])
        raise InputError(f"{path}: damaged, or not a PyTorch file ({said})") from None
    if not arrays:
        raise InputError(f"{path}: holds no tensors")
    return arrays
