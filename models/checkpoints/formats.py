"""Formats of weight files and folders: detection by content, and one reader each."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from salix.models.checkpoints.errors import existing_file, first_bytes
from salix.models.checkpoints.huggingface import is_index, read_shards, weights_file
from salix.models.checkpoints.keras import ARCHIVE_WEIGHTS, read_keras
from salix.models.checkpoints.naming import NamedArrays
from salix.models.checkpoints.npz import read_npz
from salix.models.checkpoints.onnx import read_onnx
from salix.models.checkpoints.orbax import read_orbax
from salix.models.checkpoints.orbax_folders import is_orbax
from salix.models.checkpoints.safetensors import read_safetensors
from salix.models.checkpoints.tfjs import read_tfjs
from salix.models.checkpoints.tfjs_manifest import is_tfjs
from salix.models.checkpoints.torch import is_pickle, read_torch
from salix.models.checkpoints.unsupported import describe_file, describe_folder
from salix.typing import InputError

__all__ = ["FORMATS", "Format", "kind", "read", "weights_file"]

_ZIP = b"PK\x03\x04"
_HEAD = 512  # bytes of a file by which it is recognised


def _never(*_: object) -> bool:
    return False


@dataclass(frozen=True)
class Format:
    """A format of weights: its reader, and how its files and folders are recognised.

    `is_file(path, head)` decides by the first bytes, for zip archives by the names of their
    members; `suffixes` where no format does; `is_folder(path)` decides for folders. `names` is the
    format whose names of weights its files have, where that is another.
    """

    title: str
    read: Callable[[Path], NamedArrays]
    is_file: Callable[[Path, bytes], bool] = _never
    suffixes: tuple[str, ...] = ()
    is_folder: Callable[[Path], bool] = _never
    names: str = ""


def _has_member(path: Path, head: bytes, matches: Callable[[str], bool]) -> bool:
    """Return whether a file is a zip archive with a member whose name matches."""
    if not head.startswith(_ZIP):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(map(matches, archive.namelist()))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False  # reported as damaged


def _is_torch(path: Path, head: bytes) -> bool:
    return is_pickle(head) or _has_member(
        path, head, lambda name: name.count("/") == 1 and name.endswith("/data.pkl")
    )


FORMATS: dict[str, Format] = {
    "torch": Format(
        "PyTorch", read_torch, is_file=_is_torch, suffixes=("pth", "pt", "tar", "bin", "ckpt")
    ),
    "keras": Format(
        "Keras",
        read_keras,
        is_file=lambda path, head: (
            head.startswith(b"\x89HDF\r\n\x1a\n")
            or _has_member(path, head, lambda name: name == ARCHIVE_WEIGHTS)
        ),
        suffixes=("h5", "hdf5", "keras"),
    ),
    "safetensors": Format(
        "safetensors",
        read_safetensors,
        is_file=lambda path, head: (
            head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size
        ),
        suffixes=("safetensors",),
    ),
    "npz": Format(
        "NumPy",
        read_npz,
        is_file=lambda path, head: _has_member(path, head, lambda name: name.endswith(".npy")),
        suffixes=("npz",),
        names="torch",
    ),
    "shards": Format(
        "Hugging Face", read_shards, is_file=lambda path, _: is_index(path), names="torch"
    ),
    "onnx": Format(
        "ONNX", read_onnx, suffixes=("onnx",), is_folder=lambda path: any(path.glob("*.onnx"))
    ),
    "orbax": Format("Orbax", read_orbax, is_folder=is_orbax),
    "tfjs": Format("TensorFlow.js", read_tfjs, suffixes=("json", "js"), is_folder=is_tfjs),
}


def _by_suffix(path: Path) -> list[str]:
    suffix = path.suffix.lower().lstrip(".")
    return [name for name, form in FORMATS.items() if suffix in form.suffixes]


def kind(path: str | Path) -> str:
    """Return the format of a file or folder, a key of `FORMATS`.

    Files are recognised by their content, else by their suffix; folders by the files in them.
    Raises InputError for others, and says what they are and what to do where that is known.
    """
    try:
        return _kind(weights_file(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None


def _kind(path: Path) -> str:
    if path.is_dir():
        fitting = [name for name, form in FORMATS.items() if form.is_folder(path)]
        description = None if fitting else describe_folder(path)
        expected = "a folder of Orbax, Hugging Face, ONNX or TensorFlow.js weights"
        weights = sorted(p.name for p in path.iterdir() if p.is_file() and _by_suffix(p))
        if weights:
            expected += f": name one of its files, {', '.join(weights[:5])}"
    else:
        head = first_bytes(existing_file(path), _HEAD)
        fitting = [name for name, form in FORMATS.items() if form.is_file(path, head)]
        description = None if fitting else describe_file(path, head)
        if not fitting and not description:
            fitting = _by_suffix(path)
        titles = ", ".join(dict.fromkeys(form.title for form in FORMATS.values()))
        expected = f"a weight file of {titles}"
    if not fitting:
        raise InputError(f"{path} is {description or f'not {expected}'}")
    return fitting[0]


def read(path: str | Path) -> NamedArrays:
    """Return the arrays of a weight file or folder of any format by name; nothing is unpickled.

    Raises InputError, naming the file, when it is damaged or of another format.
    """
    path = weights_file(path)
    return FORMATS[kind(path)].read(path)
