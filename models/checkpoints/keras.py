"""Reader of Keras weight files (HDF5), as `save_weights` of Keras 1 and 2 writes them."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from salix.models.checkpoints.errors import existing_file, input_errors
from salix.typing import InputError

__all__ = ["read_keras"]

_NUMBERED = re.compile(
    r"((?:depthwise_|separable_)?conv[123]d(?:_transpose)?|dense|batch_normalization|embedding"
    r"|p_re_lu)(?:_(\d+))?"
)
_WEIGHT = re.compile(r"(?:.*/)?([^/:]+)(?::\d+)?")
_LIMIT = 1 << 32  # bytes of one array; HDF5 lets a small file declare any size
_DAMAGE = (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError)


def _renumber(layers: list[str]) -> dict[str, str]:
    """Return layer names with Keras' own names numbered from the first layer of the file.

    Keras counts through a session, so that one network is saved as conv2d_1, conv2d_5, ...; here
    the first is conv2d, the second conv2d_1, as in a fresh session.
    """
    names = {layer: layer for layer in layers}
    numbers: dict[str, list[tuple[int, str]]] = {}
    for layer in layers:
        if match := _NUMBERED.fullmatch(layer):
            numbers.setdefault(match[1], []).append((int(match[2] or 0), layer))
    for kind, numbered in numbers.items():
        for rank, (_, layer) in enumerate(sorted(numbered)):
            names[layer] = f"{kind}_{rank}" if rank else kind
    return names


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _node(group: Any, name: str) -> Any:
    """Return the node at a path of hard links; other links may lead to any file of the user."""
    import h5py

    for part in name.split("/"):
        if not isinstance(group, h5py.Group) or part not in group:
            raise InputError(f"lacks {name!a}")
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise InputError(f"contains a link at {name!a}")
        group = group[part]
    return group


def _array(group: Any, name: str) -> np.ndarray:
    import h5py

    node = _node(group, name)
    if not isinstance(node, h5py.Dataset) or node.dtype.kind not in "fiu" or node.external:
        raise InputError(f"contains no plain numbers at {name!a}")
    if node.nbytes > _LIMIT:
        raise InputError(f"declares {node.nbytes} bytes at {name!a}")
    return np.asarray(node[()])


def read_keras(path: str | Path) -> dict[str, np.ndarray]:
    """Return the arrays of a Keras .h5 weight file, named like "conv2d_1/kernel".

    Files of saved models are read too. Layers that Keras named itself are numbered from the first
    of the file. Arrays have Keras' layout: kernels HWIO, dense IO. Raises InputError, naming the
    file, for a file of another format.
    """
    import h5py

    path = existing_file(path)
    arrays: dict[str, np.ndarray] = {}
    with input_errors(path, "a Keras weight file", *_DAMAGE), h5py.File(path, "r") as file:
        root: Any = _node(file, "model_weights") if "model_weights" in file else file
        if "layer_names" not in root.attrs:
            raise InputError("has no layer_names: not a weight file of Keras 1 or 2")
        layers = [_text(layer) for layer in root.attrs["layer_names"]]
        for layer, name in _renumber(layers).items():
            group = _node(root, layer)
            for weight in map(_text, group.attrs["weight_names"]):
                match = _WEIGHT.fullmatch(weight)
                key = f"{name}/{match[1] if match else weight}"
                if key in arrays:
                    raise InputError(f"has {key!a} twice")
                arrays[key] = _array(group, weight)
    return arrays
