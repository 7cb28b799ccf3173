"""Reader and atomic writer of safetensors files, with their metadata."""

import os
import uuid
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from salix.models.checkpoints.errors import input_errors
from salix.models.checkpoints.naming import NamedArrays
from salix.typing import InputError

__all__ = ["read_metadata", "read_safetensors", "write_safetensors"]

_KIND = "a safetensors file"


def read_safetensors(path: str | Path) -> NamedArrays:
    """Return the arrays of a safetensors file by name; raises InputError, naming the file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    with input_errors(Path(path), _KIND, SafetensorError, OSError, KeyError, ValueError, TypeError):
        return load_file(path)


def read_metadata(path: str | Path) -> dict[str, str]:
    """Return the metadata of a safetensors file, {} where it has none."""
    from safetensors import SafetensorError, safe_open

    with (
        input_errors(Path(path), _KIND, SafetensorError, OSError),
        safe_open(path, framework="numpy") as file,
    ):
        return file.metadata() or {}


def write_safetensors(path: str | Path, arrays: NamedArrays, metadata: Mapping[str, str]) -> None:
    """Write a safetensors file under a temporary name and rename it into place."""
    from safetensors.numpy import save

    path = Path(path)
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        part.write_bytes(save(contiguous, dict(metadata)))
        os.replace(part, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        part.unlink(missing_ok=True)
