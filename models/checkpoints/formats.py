"""Formats of weight files and folders: detection by content, and one reader each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from salix.models.checkpoints.errors import existing_file
from salix.models.checkpoints.keras import read_keras
from salix.models.checkpoints.naming import NamedArrays
from salix.models.checkpoints.onnx import read_onnx
from salix.models.checkpoints.orbax import is_orbax, read_orbax
from salix.models.checkpoints.safetensors import read_safetensors
from salix.models.checkpoints.tfjs import read_tfjs
from salix.models.checkpoints.torch import is_torch, read_torch
from salix.typing import InputError

__all__ = ["FORMATS", "Format", "kind", "read"]


def _never(*_: object) -> bool:
    return False


@dataclass(frozen=True)
class Format:
    """A format of weights: its reader, and how its files and folders are recognised.

    `starts(head, size)` decides by the first nine bytes and the size of a file, `suffixes` where
    no format does; `is_folder(path)` decides for folders.
    """

    title: str
    read: Callable[[Path], NamedArrays]
    starts: Callable[[bytes, int], bool] = _never
    suffixes: tuple[str, ...] = ()
    is_folder: Callable[[Path], bool] = _never


FORMATS: dict[str, Format] = {
    "torch": Format(
        "PyTorch",
        read_torch,
        starts=lambda head, size: is_torch(head),
        suffixes=("pth", "pt", "tar", "bin", "ckpt"),
    ),
    "keras": Format(
        "Keras",
        read_keras,
        starts=lambda head, size: head.startswith(b"\x89HDF\r\n\x1a\n"),
        suffixes=("h5", "hdf5"),
    ),
    "safetensors": Format(
        "safetensors",
        read_safetensors,
        starts=lambda head, size: head[8:9] == b"{" and int.from_bytes(head[:8], "little") < size,
        suffixes=("safetensors",),
    ),
    "onnx": Format(
        "ONNX",
        read_onnx,
        suffixes=("onnx",),
        is_folder=lambda path: any(path.glob("*.onnx")),
    ),
    "orbax": Format("Orbax", read_orbax, is_folder=is_orbax),
    "tfjs": Format(
        "TensorFlow.js",
        read_tfjs,
        suffixes=("json", "js"),
        is_folder=lambda path: any(path.glob("*.json")) or any(path.glob("model*.js")),
    ),
}


def kind(path: str | Path) -> str:
    """Return the format of a file or folder, a key of `FORMATS`.

    Files are recognised by their first bytes, else by their suffix; folders by the files in them.
    """
    path = Path(path)
    if path.is_dir():
        fitting = [name for name, form in FORMATS.items() if form.is_folder(path)]
        expected = "a folder of ONNX, Orbax or TensorFlow.js weights"
    else:
        with existing_file(path).open("rb") as file:
            head, size = file.read(9), path.stat().st_size
        suffix = path.suffix.lower().lstrip(".")
        fitting = [name for name, form in FORMATS.items() if form.starts(head, size)]
        fitting += [name for name, form in FORMATS.items() if suffix in form.suffixes]
        expected = "a weight file of " + ", ".join(f.title for f in FORMATS.values() if f.suffixes)
    if not fitting:
        raise InputError(f"{path}: not {expected}")
    return fitting[0]


def read(path: str | Path) -> NamedArrays:
    """Return the arrays of a weight file or folder of any format by name; nothing is unpickled.

    Raises InputError, naming the file, when it is damaged or of another format.
    """
    return FORMATS[kind(path)].read(Path(path))
