"""Tensors of PyTorch pickles: the functions that rebuild them, and views of their storages."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from salix.models.checkpoints.errors import printable
from salix.models.checkpoints.numpy_pickle import NUMPY_CALLS
from salix.models.checkpoints.pickle_objects import Global, Opaque, Ordered, set_items
from salix.typing import InputError

__all__ = ["CALLS", "Storage", "TensorRecord", "storage_loader", "strided_view"]

_AXES = 64  # of an array, numpy's own limit

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


@dataclass(frozen=True)
class Storage:
    """Typed run of bytes in a PyTorch file, by its key."""

    key: str
    dtype: np.dtype[Any]
    count: int  # of elements


@dataclass(frozen=True)
class TensorRecord:
    """Strided view of a storage, in elements."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def _storage(identity: Any) -> Storage:
    """Return the storage of a persistent id: ("storage", type, key, device, count[, view])."""
    if not isinstance(identity, tuple) or identity[0] != "storage":
        raise InputError("contains a whole module, not tensors (save the state dict alone)")
    _, type_, key, _, count, *view = identity
    name = type_.name if isinstance(type_, Global) else type(type_).__name__
    if name not in _DTYPES:
        raise InputError(f"contains a storage of an unknown type, {printable(name)}")
    if not isinstance(key, str) or type(count) is not int or count < 0 or any(view):
        raise InputError("contains a malformed storage")
    return Storage(key, _DTYPES[name], count)


def storage_loader(storages: dict[str, Storage]) -> Callable[[Any], Storage]:
    """Return the function of a persistent id that registers its storage in `storages`."""

    def load(identity: Any) -> Storage:
        storage = _storage(identity)
        if storages.setdefault(storage.key, storage) != storage:
            raise InputError("gives one storage two types")
        return storage

    return load


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> TensorRecord:
    """Return the record of a tensor without its gradient flag, hooks and metadata."""
    if not isinstance(storage, Storage) or not isinstance(size, tuple):
        raise InputError("contains a malformed tensor")
    if not isinstance(stride, tuple) or len(size) != len(stride) or len(size) > _AXES:
        raise InputError("contains a malformed tensor")
    if any(type(n) is not int or n < 0 for n in (offset, *size, *stride)):
        raise InputError("contains a tensor with a malformed shape")
    return TensorRecord(storage, offset, size, stride)


def _ordered(pairs: Any = None) -> Ordered:
    """Return the OrderedDict of a list of pairs, as Python 2 wrote it, or an empty one.

    The list is emptied, so that a pickle cannot have it copied many times.
    """
    if pairs is None:
        return Ordered()
    if type(pairs) is not list:
        raise InputError("has a malformed OrderedDict")
    ordered = set_items(Ordered(), [item for key, value in pairs for item in (key, value)])
    pairs.clear()
    return ordered


def _of_type(function: Any = None, type_: Any = None, arguments: Any = (), *_: Any) -> Any:
    """Return a tensor of a subclass as a plain one."""
    name = function.name if isinstance(function, Global) else ""
    if name not in _TENSORS or not isinstance(arguments, tuple):
        return Opaque(type_.name if isinstance(type_, Global) else "torch.Tensor")
    return _TENSORS[name](*arguments)


def _refuse(kind: str) -> Callable[..., Any]:
    def refuse(*_: Any) -> Any:
        raise InputError(f"contains a {kind} tensor: save it as a plain one")

    return refuse


_TENSORS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda data, *_: data,
    "torch._utils._rebuild_parameter_with_state": lambda data, *_: data,
    "torch._utils._rebuild_device_tensor_from_numpy": lambda data, *_: data,
    "torch._utils._rebuild_qtensor": _refuse("quantised"),
    "torch._utils._rebuild_sparse_tensor": _refuse("sparse"),
    "torch._utils._rebuild_sparse_csr_tensor": _refuse("sparse"),
    "torch._utils._rebuild_nested_tensor": _refuse("nested"),
}
CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered,
    "collections.defaultdict": lambda *_: Ordered(),
    "torch.Size": lambda size=(): size,
    "torch._tensor._rebuild_from_type_v2": _of_type,
    **_TENSORS,
    **NUMPY_CALLS,
}


def strided_view(tensor: TensorRecord, raw: bytes, limit: int) -> np.ndarray:
    """Return a tensor as a read-only view of its storage `raw`, after checking its bounds.

    `limit` bounds the bytes of the tensor.
    """
    count = math.prod(tensor.size)
    if count == 0:
        return np.zeros(tensor.size, tensor.storage.dtype)
    steps = zip(tensor.size, tensor.stride, strict=True)
    last = tensor.offset + sum((n - 1) * step for n, step in steps)
    if last >= tensor.storage.count:
        raise InputError("contains a tensor that reaches outside its storage")
    dtype = tensor.storage.dtype
    if count * dtype.itemsize > limit:  # a stride of 0 makes terabytes of four bytes
        raise InputError("contains a tensor larger than the file")
    flat = np.frombuffer(raw, dtype, tensor.storage.count)[tensor.offset :]
    strides = [step * dtype.itemsize for step in tensor.stride]
    return np.lib.stride_tricks.as_strided(flat, tensor.size, strides, writeable=False)
