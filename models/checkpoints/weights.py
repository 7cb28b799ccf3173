"""Weight files: which kind one is, reading and writing it, and fitting it to an architecture."""

import os
import uuid
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from salix.models.checkpoints.keras import read_keras
from salix.models.checkpoints.onnx import read_onnx
from salix.models.checkpoints.orbax import is_orbax, read_orbax
from salix.models.checkpoints.tfjs import read_tfjs
from salix.models.checkpoints.torch import read_torch
from salix.typing import InputError

__all__ = [
    "Arrays",
    "Naming",
    "Shapes",
    "Table",
    "batch_norm",
    "conv",
    "convert",
    "dense",
    "inner",
    "kind",
    "manifest",
    "match",
    "read",
    "same",
    "torch_names",
    "transposed",
    "write",
]

Arrays = dict[str, np.ndarray]
Layout = Callable[[np.ndarray], np.ndarray]
Table = Mapping[str, tuple[str, Layout]]  # our name -> the name in a file and its layout there
Shapes = Mapping[str, jax.ShapeDtypeStruct]  # by our names
Naming = Callable[[Shapes, Collection[str]], Table]  # of what is expected, and the names in a file


def kind(path: str | Path) -> str:
    """Return "torch", "keras", "safetensors", "onnx", "tfjs" or "orbax".

    That of a file is told by its first bytes, then its suffix; that of a folder by the files in it.
    """
    path = Path(path)
    if path.is_dir():
        return _kind_of_folder(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open("rb") as file:
        head = file.read(9)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "keras"
    if head.startswith(b"PK\x03\x04"):
        return "torch"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return "safetensors"
    kinds = {"h5": "keras", "hdf5": "keras", "safetensors": "safetensors", "onnx": "onnx"}
    kinds |= dict.fromkeys(("pth", "pt", "tar", "bin", "ckpt"), "torch")
    kinds |= dict.fromkeys(("json", "js"), "tfjs")
    suffix = path.suffix.lower().lstrip(".")
    if suffix not in kinds:
        known = "PyTorch, Keras, ONNX, TensorFlow.js or safetensors"
        raise InputError(f"{path}: not a weight file of {known}")
    return kinds[suffix]


def _kind_of_folder(path: Path) -> str:
    if any(path.glob("*.onnx")):
        return "onnx"
    if is_orbax(path):
        return "orbax"
    if any(path.glob("*.json")) or any(path.glob("model*.js")):
        return "tfjs"
    raise InputError(f"{path}: a folder without weights of ONNX, Orbax or TensorFlow.js")


def read(path: str | Path) -> Arrays:
    """Return the arrays of a weight file or folder by name, of any kind; nothing is unpickled.

    Raises InputError, naming the file, when it is damaged or of another kind.
    """
    readers = {"torch": read_torch, "keras": read_keras, "onnx": read_onnx, "tfjs": read_tfjs}
    readers |= {"orbax": read_orbax, "safetensors": _read_safetensors}
    return readers[kind(path)](path)


def _read_safetensors(path: str | Path) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: damaged, or not a safetensors file ({error})") from None


def manifest(path: str | Path) -> dict[str, str]:
    """Return the metadata of a safetensors file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: damaged, or not a safetensors file ({error})") from None


def write(path: str | Path, arrays: Arrays, manifest: Mapping[str, str]) -> None:
    """Write a safetensors file with metadata, whole or not at all."""
    from safetensors.numpy import save

    path = Path(path)
    whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        part.write_bytes(save(whole, dict(manifest)))
        os.replace(part, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        part.unlink(missing_ok=True)


def same(array: np.ndarray) -> np.ndarray:
    """Return an array whose layout is ours already."""
    return array


def dense(array: np.ndarray) -> np.ndarray:
    """Turn a PyTorch linear weight OI into IO."""
    return array.T


def conv(array: np.ndarray) -> np.ndarray:
    """Turn a PyTorch convolution OIHW into HWIO."""
    return array.transpose(2, 3, 1, 0)


def transposed(array: np.ndarray) -> np.ndarray:
    """Turn a PyTorch transposed convolution IOHW into HWIO of the convolution that it amounts to.

    PyTorch scatters the kernel from each input; read from each output, the kernel is turned round.
    """
    return array.transpose(2, 3, 0, 1)[::-1, ::-1]


def batch_norm(ours: str, theirs: str) -> Table:
    """Return the four rows of a PyTorch batch normalisation in evaluation."""
    rows = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
    return {f"{ours}.{mine}": (f"{theirs}.{their}", same) for mine, their in rows.items()}


_PARTS = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


def torch_names(shapes: Shapes, renamed: Callable[[str], str]) -> Table:
    """Return the names that a PyTorch module has for ours, given its name for each layer of ours.

    The layers are convolutions, linear ones and batch normalisations.
    """
    table: dict[str, tuple[str, Layout]] = {}
    for ours, leaf in shapes.items():
        layer, _, part = ours.rpartition(".")
        layouts = {4: conv, 2: dense} if part == "kernel" else {}
        layout = layouts.get(len(leaf.shape), same)
        table[ours] = (f"{renamed(layer)}.{_PARTS[part]}", layout)
    return table


def inner(table: Table, arrays: Arrays) -> Arrays:
    """Return the part of a training checkpoint that the table knows, without its prefix.

    In {"state_dict": net, "optimizer": ...}, or under "module.", the names all begin alike; the
    rest of such a file is not weights. Without a prefix everything is kept.
    """
    anchor = min((theirs for theirs, _ in table.values()), key=len)
    prefixes = {name.removesuffix(anchor) for name in arrays if name.endswith(anchor)}

    def known(prefix: str) -> int:
        return sum(prefix + theirs in arrays for theirs, _ in table.values())

    best = max(sorted(prefixes, key=len), key=known, default="")
    return {n.removeprefix(best): a for n, a in arrays.items() if n.startswith(best)}


def convert(table: Table, arrays: Arrays) -> Arrays:
    """Give the arrays of a file our names and layouts.

    What the table does not know keeps its name, so that `match` reports it; the batch counters of
    PyTorch are dropped. An array with other axes than its layout wants is left as it is.
    """
    known = {theirs: (ours, layout) for ours, (theirs, layout) in table.items()}
    result: Arrays = {}
    for theirs, array in arrays.items():
        if theirs.endswith("num_batches_tracked"):
            continue
        ours, layout = known.get(theirs, (theirs, same))
        try:
            result[ours] = layout(array)
        except ValueError:
            result[ours] = array
    return result


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{len(names)} ({', '.join(names[:3])}{more})"


def match(
    expected: Shapes,
    arrays: Arrays,
    path: str | Path,
    architecture: str,
) -> Arrays:
    """Return the arrays in the types that an architecture expects, after checking that they fit.

    Raises one InputError that names the file and the architecture, and counts and lists the
    arrays that are missing, unknown, of another shape or type, or hold a NaN or an infinity.
    """
    faults: dict[str, list[str]] = {"missing": [], "unknown": [], "misshaped": [], "not finite": []}
    faults["missing"] = [name for name in expected if name not in arrays]
    result: Arrays = {}
    for name, array in arrays.items():
        if name not in expected:
            faults["unknown"].append(ascii(name)[1:-1])
        elif array.shape != expected[name].shape:
            faults["misshaped"].append(f"{name} {array.shape}, not {expected[name].shape}")
        elif not jnp.issubdtype(array.dtype, jnp.floating):
            faults["misshaped"].append(f"{name} {array.dtype}, not {expected[name].dtype}")
        else:
            with np.errstate(over="ignore"):  # float64 beyond float32 becomes an infinity
                result[name] = np.asarray(array, expected[name].dtype)
            if not np.isfinite(result[name]).all():
                faults["not finite"].append(name)
    said = "; ".join(f"{fault} {_some(names)}" for fault, names in faults.items() if names)
    if said:
        raise InputError(f"{path} does not fit {architecture}: {said}")
    return result
