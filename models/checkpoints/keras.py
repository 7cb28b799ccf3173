"""Reader of Keras weights: HDF5 files of Keras 1 to 3, and the .keras archives of Keras 3."""

import json
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from salix.models.checkpoints.archives import checked_members, extract
from salix.models.checkpoints.errors import existing_file, first_bytes, input_errors, printable
from salix.models.checkpoints.isolated import read_isolated
from salix.models.checkpoints.keras_names import (
    config_layers,
    layer_class,
    renumber,
    variable_names,
)
from salix.models.checkpoints.naming import NamedArrays
from salix.typing import InputError

__all__ = ["ARCHIVE_WEIGHTS", "read_keras"]

ARCHIVE_WEIGHTS = "model.weights.h5"  # member of a .keras archive
_CONFIG_LIMIT = 1 << 25  # bytes of the architecture in an archive
_KIND = "a Keras weight file"
_WEIGHT = re.compile(r"(?:.*/)?([^/:]+)(?::\d+)?")
_VARIABLE = re.compile(r"(.+)/vars/(\d+)")
_CONTAINERS = {"layers", "_layer_checkpoint_dependencies"}  # in the paths of Keras 3
_Variables = dict[int, np.ndarray]
_DAMAGE = (
    *(OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, IndexError),
    *(RecursionError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, MemoryError),
)


def _named_layers(attributes: Any, arrays: NamedArrays, root: str) -> NamedArrays:
    """Return the arrays of a file of named layers: Keras 1 and 2, and `.h5` of Keras 3."""
    layers: list[tuple[str, str]] = []  # the layer and the path of each array
    for name in attributes[root]["layer_names"]:
        group = f"{root}/{name}" if root else name
        weights = attributes.get(group, {}).get("weight_names", ())
        inner = [weight.rpartition("/")[0].rpartition("/")[2] for weight in weights]
        is_model = len(set(inner)) > 1  # a model in a model, whose layers the weights name
        for weight, layer in zip(weights, inner, strict=True):
            layers.append((layer if is_model else name, f"{group}/{weight}"))
    numbers = renumber(layer for layer, _ in layers)
    result: NamedArrays = {}
    for layer, path in layers:
        match = _WEIGHT.fullmatch(path)
        key = f"{numbers[layer]}/{match[1] if match else path}"
        if key in result:
            raise InputError(f"has {printable(key)} twice")
        if path not in arrays:
            raise InputError(f"lacks plain numbers at {path!a}")
        result[key] = arrays[path]
    return result


def _layer_key(path: str) -> str:
    """Return the path of a layer without the names of the lists that contain it."""
    return "/".join(part for part in path.split("/") if part not in _CONTAINERS)


def _layer_names(keys: Iterable[str], titles: Mapping[str, str]) -> dict[str, str]:
    """Return the names of layers by key: their own, or the class in the order of the model.

    A class with a layer that its user named keeps the order of the model.
    """
    kinds = {key: layer_class(key.rpartition("/")[2]) for key in keys}
    own = {k for key, k in kinds.items() if k and k != layer_class(titles.get(key, k))}
    names = {key: key if kind in own else titles.get(key, key) for key, kind in kinds.items()}
    if len(set(names.values())) < len(names):
        raise InputError("has two layers of one name")
    return names


def _numbered_layers(attributes: Any, arrays: NamedArrays, config: Any) -> NamedArrays:
    """Return the arrays of a file of Keras 3, layers/KEY/vars/NUMBER.

    KEY is the class of a layer, numbered in the order of the model, or an attribute of the user's
    class. The layers that Keras named itself have the order of their making in their names, as in
    the files of Keras 1 and 2.
    """
    variables: dict[str, _Variables] = {}
    result: NamedArrays = {}
    for path, array in arrays.items():
        match = _VARIABLE.fullmatch(path)
        if match and "seed_generator/" not in path:  # of a dropout
            numbered = variables.setdefault(_layer_key(match[1]), {})
            if numbered.setdefault(int(match[2]), array) is not array:
                raise InputError(f"has {printable(_layer_key(path))} twice")
        elif not match:
            result[path] = array
    titles = config_layers(config) if config else {}
    for path, texts in attributes.items():
        folder, _, last = path.rpartition("/")
        if last == "vars" and texts.get("name"):
            titles[_layer_key(folder)] = texts["name"][0]
    names = _layer_names(variables, titles)
    numbers = renumber(names.values())
    for key, numbered in variables.items():
        parts = variable_names(names[key].rpartition("/")[2], len(numbered))
        if sorted(numbered) != list(range(len(numbered))):
            raise InputError(f"lacks variables of its layer {printable(key)}")
        for number, array in numbered.items():
            result[f"{numbers[names[key]]}/{parts[number]}"] = array
    return result


def _archive(path: Path) -> tuple[Any, Any, NamedArrays]:
    """Return the architecture, attributes and arrays of a .keras archive."""
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        members = checked_members(path, archive)
        if ARCHIVE_WEIGHTS not in members:
            raise InputError(f"is an archive without the {ARCHIVE_WEIGHTS} of Keras")
        config = None
        if "config.json" in members and members["config.json"].file_size <= _CONFIG_LIMIT:
            config = json.loads(archive.read(members["config.json"]))
        weights = extract(archive, members[ARCHIVE_WEIGHTS], Path(folder) / ARCHIVE_WEIGHTS)
        return config, *read_isolated("hdf5_arrays.py", weights, _KIND, weights.stat().st_size)


def read_keras(path: str | Path) -> dict[str, np.ndarray]:
    """Return the arrays of Keras weights, named like "conv2d_1/kernel".

    `path` is an .h5 or .weights.h5 file of Keras 1, 2 or 3, or a .keras archive; saved models are
    read too, without the optimiser's state. Layers that Keras named itself are numbered from the
    first of the file. Arrays have Keras' layout: kernels HWIO, dense IO. The file is read in a
    child process with limits of memory and time. Raises InputError, naming the file, for a file of
    another format, and for arrays in other files.
    """
    path = existing_file(path)
    with input_errors(path, _KIND, *_DAMAGE):
        config = None
        if first_bytes(path, 2) == b"PK":
            config, attributes, arrays = _archive(path)
        else:
            attributes, arrays = read_isolated("hdf5_arrays.py", path, _KIND, path.stat().st_size)
        arrays = {
            n: a.view(ml_dtypes.bfloat16) if a.dtype.kind == "V" else a for n, a in arrays.items()
        }
        for root in ("model_weights", ""):
            if "layer_names" in attributes.get(root, {}):
                return _named_layers(attributes, arrays, root)
        if any(_VARIABLE.fullmatch(name) for name in arrays):
            return _numbered_layers(attributes, arrays, config)
        raise InputError("is an HDF5 file without the layers of Keras")
