"""Hugging Face folders: the weights beside a config.json, in one file or in shards."""

import json
from collections.abc import Callable
from pathlib import Path

from salix.models.checkpoints.errors import existing_file, input_errors, printable
from salix.models.checkpoints.naming import NamedArrays
from salix.models.checkpoints.safetensors import read_safetensors
from salix.models.checkpoints.torch import read_torch
from salix.typing import InputError

__all__ = ["is_index", "read_shards", "weights_file"]

_INDEX = ".index.json"
_INDEX_LIMIT = 1 << 25  # bytes
_READERS: dict[str, Callable[[Path], NamedArrays]] = {  # the first of a folder is read
    "model.safetensors": read_safetensors,
    "pytorch_model.bin": read_torch,
}
_DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


def weights_file(path: str | Path) -> Path:
    """Return the file of the weights, or the index of its shards, of a Hugging Face folder.

    The first is taken of model.safetensors and pytorch_model.bin. Other paths are returned as they
    are.
    """
    path = Path(path)
    files = [path / f"{name}{suffix}" for name in _READERS for suffix in ("", _INDEX)]
    return next((file for file in files if file.is_file()), path) if path.is_dir() else path


def is_index(path: Path) -> bool:
    """Return whether a file is an index of shards."""
    return path.name in {f"{name}{_INDEX}" for name in _READERS}


def _shards(index: Path) -> dict[str, list[str]]:
    """Return the names of the tensors by the file that has them."""
    if index.stat().st_size > _INDEX_LIMIT:
        raise InputError(f"is larger than {_INDEX_LIMIT} bytes")
    files: dict[str, list[str]] = {}
    for name, file in json.loads(index.read_bytes())["weight_map"].items():
        if not isinstance(file, str) or Path(file).name != file or "\\" in file:
            raise InputError(f"has a shard outside its folder: {printable(str(file))}")
        files.setdefault(file, []).append(name)
    absent = [file for file in files if not (index.parent / file).is_file()]
    if absent:
        listed = ", ".join(map(printable, absent[:3])) + (", ..." if len(absent) > 3 else "")
        raise InputError(f"lacks {len(absent)} of its {len(files)} shards: {listed}")
    return files


def read_shards(index: str | Path) -> NamedArrays:
    """Return the tensors of the shards in an index of Hugging Face, by name.

    Names are those of the library that wrote them, timm or transformers. Raises InputError, naming
    the file.
    """
    index = existing_file(index)
    read = _READERS[index.name.removesuffix(_INDEX)]
    arrays: NamedArrays = {}
    with input_errors(index, "an index of shards", *_DAMAGE):
        shards = _shards(index)
    for shard, names in shards.items():
        part = read(index.parent / shard)
        missing = [name for name in names if name not in part]
        if missing:
            raise InputError(f"{index.parent / shard}: lacks {printable(missing[0])} of the index")
        arrays |= {name: part[name] for name in names}
    return arrays
