"""Reader of Keras weight files (HDF5), the files that `save_weights` of Keras 1 and 2 wrote."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from salix.typing import InputError

_NUMBERED = re.compile(
    r"((?:depthwise_|separable_)?conv[123]d(?:_transpose)?|dense|batch_normalization|embedding"
    r"|p_re_lu)(?:_(\d+))?"
)
_WEIGHT = re.compile(r"(?:.*/)?([^/:]+)(?::\d+)?")
_LIMIT = 1 << 32  # bytes of one array; HDF5 lets a small file declare any size


def _renumbered(layers: list[str]) -> dict[str, str]:
    """Number the layers that Keras named itself from the first of this file.

    Keras counts through a whole run, so that the same network is saved as conv2d_1, conv2d_5, ...;
    here the first is conv2d, the second conv2d_1, as in a fresh run.
    """
    names = {layer: layer for layer in layers}
    found: dict[str, list[tuple[int, str]]] = {}
    for layer in layers:
        if match := _NUMBERED.fullmatch(layer):
            found.setdefault(match[1], []).append((int(match[2] or 0), layer))
    for kind, numbered in found.items():
        for rank, (_, layer) in enumerate(sorted(numbered)):
            names[layer] = f"{kind}_{rank}" if rank else kind
    return names


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _node(group: Any, name: str) -> Any:
    """Return what lies at a path of hard links: another link may lead to any file of the user."""
    import h5py

    for part in name.split("/"):
        if not isinstance(group, h5py.Group) or part not in group:
            raise InputError(f"lacks {name!a}")
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise InputError(f"holds a link at {name!a}")
        group = group[part]
    return group


def _array(group: Any, name: str) -> np.ndarray:
    import h5py

    node = _node(group, name)
    if not isinstance(node, h5py.Dataset) or node.dtype.kind not in "fiu" or node.external:
        raise InputError(f"holds no plain numbers at {name!a}")
    if node.nbytes > _LIMIT:
        raise InputError(f"declares {node.nbytes} bytes at {name!a}")
    return np.asarray(node[()])


def read_keras(path: str | Path) -> dict[str, np.ndarray]:
    """Return the arrays of a Keras .h5 weight file, named like "conv2d_1/kernel".

    The weights of a whole saved model are read too. Layers that Keras named itself are numbered
    from the first of the file. Arrays keep Keras' layout: kernels HWIO, dense IO. Raises
    InputError, naming the file, for a file of another kind.
    """
    import h5py

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    arrays: dict[str, np.ndarray] = {}
    try:
        with h5py.File(path, "r") as file:
            root: Any = _node(file, "model_weights") if "model_weights" in file else file
            if "layer_names" not in root.attrs:
                raise InputError("holds no layer_names: not a weight file of Keras 1 or 2")
            layers = [_text(layer) for layer in root.attrs["layer_names"]]
            for layer, name in _renumbered(layers).items():
                group = _node(root, layer)
                for weight in map(_text, group.attrs["weight_names"]):
                    match = _WEIGHT.fullmatch(weight)
                    key = f"{name}/{match[1] if match else weight}"
                    if key in arrays:
                        raise InputError(f"has {key!a} twice")
                    arrays[key] = _array(group, weight)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        said = str(error).split("\n")[0]
        raise InputError(f"{path}: damaged, or not a Keras weight file ({said})") from None
    return arrays
