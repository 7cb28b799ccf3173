"""Files by which an interrupted study continues: JSON and arrays, whole or absent."""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from salix.atomic import atomic


def trial_digest(version: int, trial: Any) -> str:
    """Return a digest of the fields of a trial, a dataclass, and of the version of its numbers."""
    return _digest(json.dumps([version, asdict(trial)], sort_keys=True), 20)


def methods_digest(version: int, methods: Mapping[str, Any]) -> str:
    """Return a digest of methods by name and of the version of their scores."""
    texts = {name: repr(method) for name, method in methods.items()}
    return _digest(json.dumps([version, texts]), 12)


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def read_json(path: Path) -> Any:
    """Return the content of a JSON file, None where it is missing or damaged."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as unfinished:
        unfinished.write_text(json.dumps(value))


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """Return the arrays of an .npz file by name, None where it is missing or damaged."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (FileNotFoundError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays as an .npz file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **arrays)
