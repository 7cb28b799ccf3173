"""Reader of the constants in frozen TensorFlow graphs; the graph is not evaluated.

Field numbers as in graph.proto, node_def.proto, attr_value.proto and tensor.proto of TensorFlow.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from salix.models.checkpoints.errors import existing_file, input_errors, printable
from salix.models.checkpoints.naming import NamedArrays
from salix.models.checkpoints.protobuf import fields
from salix.typing import InputError

__all__ = ["read_frozen_graph"]

_NODES, _ARRAYS = 100_000, 50_000
_NODE = 1  # of a graph
_NAME, _OPERATION, _ATTRIBUTE = 1, 2, 5  # of a node
_KEY, _VALUE, _TENSOR = 1, 2, 8  # of an entry of a map; of an attribute
_TYPE, _SHAPE, _CONTENT, _FLOATS = 1, 2, 4, 5  # of a tensor
_DIMENSION, _SIZE, _FLOAT32 = 2, 1, 1
_AXES = 64  # of an array, numpy's own limit


def read_frozen_graph(path: str | Path) -> NamedArrays:
    """Return the float32 constants of a frozen TensorFlow graph by the names of their nodes.

    Raises InputError, naming the file.
    """
    path = existing_file(path)
    with input_errors(path, "a frozen TensorFlow graph", ValueError, OverflowError, MemoryError):
        arrays: NamedArrays = {}
        for number, node in fields(memoryview(path.read_bytes()), _NODES):
            if number != _NODE or isinstance(node, int):
                continue
            name, tensor = _constant(node)
            if tensor is None:
                continue
            array = _array(name, tensor)
            if array is not None:
                arrays[name] = array
            if len(arrays) > _ARRAYS:
                raise InputError(f"has more than {_ARRAYS} constants")
        if not arrays:
            raise InputError("contains no constants of float32")
        return arrays


def _constant(node: memoryview) -> tuple[str, memoryview | None]:
    """Return the name of a node, and its tensor where it is a constant."""
    name, operation, tensor = "", b"", None
    for number, value in fields(node):
        if number == _NAME:
            name = bytes(value).decode()
        elif number == _OPERATION:
            operation = bytes(value)
        elif number == _ATTRIBUTE:
            entry = dict(fields(value))
            if bytes(entry.get(_KEY, b"")) == b"value":
                tensor = dict(fields(entry.get(_VALUE, memoryview(b"")))).get(_TENSOR)
    return name, tensor if operation == b"Const" else None


def _array(name: str, tensor: memoryview) -> np.ndarray | None:
    """Return a tensor of float32, None for other types.

    A tensor with fewer elements than its shape repeats the last one.
    """
    message: dict[int, list[Any]] = {}
    for number, value in fields(tensor):
        message.setdefault(number, []).append(value)
    if message.get(_TYPE) != [_FLOAT32]:
        return None
    shape = [
        dict(fields(dimension)).get(_SIZE, 0)
        for part in message.get(_SHAPE, [])
        for number, dimension in fields(part)
        if number == _DIMENSION
    ]
    raw = b"".join(message.get(_CONTENT, []) or message.get(_FLOATS, []))
    flat = np.frombuffer(raw, "<f4")
    size = math.prod(shape)
    if len(shape) > _AXES or (len(flat) != size and len(flat) != 1):
        raise InputError(f"has {len(flat)} elements of {printable(name)}, not {shape[:_AXES]}")
    if len(flat) != size and size > 1 << 28:
        raise InputError(f"has a constant {printable(name)} of {size} elements")
    return np.broadcast_to(flat, shape) if len(flat) != size else flat.reshape(shape)
