"""Reader and atomic writer of safetensors files, with their metadata."""

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from salix.models.checkpoints.errors import existing_file, first_bytes, input_errors, printable
from salix.models.checkpoints.naming import NamedArrays
from salix.typing import InputError

__all__ = ["read_metadata", "read_safetensors", "write_safetensors"]

_KIND = "a safetensors file"


_DTYPES: dict[str, Any] = {
    **{f"F{8 * n}": np.dtype(f"<f{n}") for n in (2, 4, 8)},
    **{f"{kind}{8 * n}": np.dtype(f"<{kind.lower()}{n}") for n in (1, 2, 4, 8) for kind in "IU"},
    "BOOL": np.dtype(np.bool_),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
    "F8_E4M3FNUZ": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "F8_E5M2FNUZ": np.dtype(ml_dtypes.float8_e5m2fnuz),
}
# By these names, programs that quantise to float8 write the factors of the weights.
_SCALES = ("_scale", "_scale_inv", "_scales", ".scale_weight", ".scale_input", "scaled_fp8")


def read_safetensors(path: str | Path) -> NamedArrays:
    """Return the arrays of a safetensors file by name, bfloat16 and float8 in their own types.

    Raises InputError, naming the file, for a damaged file, for types of less than a byte, and for
    float8 weights with scales, which are not applied.
    """
    from safetensors import SafetensorError, deserialize

    path = existing_file(path)
    arrays: NamedArrays = {}
    with input_errors(path, _KIND, SafetensorError, OSError, KeyError, ValueError, TypeError):
        declared = 8 + int.from_bytes(first_bytes(path, 8), "little")
        size = path.stat().st_size
        if declared > size:
            raise InputError(
                f"damaged or truncated, or not {_KIND}: its header has {declared} bytes, "
                f"the file {size}"
            )
        tensors = deserialize(path.read_bytes())
        for name, tensor in tensors:
            if tensor["dtype"] not in _DTYPES:
                raise InputError(f"has {printable(name)} of type {tensor['dtype']}, not supported")
            flat = np.frombuffer(tensor["data"], _DTYPES[tensor["dtype"]])
            arrays[name] = flat.reshape(tensor["shape"])
        has_float8 = any(tensor["dtype"].startswith("F8_") for _, tensor in tensors)
        scales = [name for name in arrays if name.endswith(_SCALES)]
        if has_float8 and scales:
            raise InputError(
                f"is quantised to float8 with scales ({printable(scales[0])}), which are not "
                "applied: use the weights before quantisation, in float32, float16 or bfloat16"
            )
    return arrays


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
