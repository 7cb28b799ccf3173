"""Weights in files that `salix.models.save` wrote, with their metadata."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salix.models.checkpoints.formats import read
from salix.models.checkpoints.origins import describe_names
from salix.models.checkpoints.safetensors import read_metadata
from salix.models.registry import MODELS
from salix.preprocess import Preprocess
from salix.typing import InputError

__all__ = ["FileWeights", "read_saved"]


@dataclass(frozen=True)
class FileWeights:
    """Arrays of one network of a file by our names, in our layouts."""

    arrays: Mapping[str, np.ndarray]
    classes: tuple[str, ...]
    outputs: int  # one output is P(second class), see `Model`
    network: str  # the file and the network in it, for messages
    chosen: str | None  # its prefix in the file; None where its names have none
    preprocess: Preprocess | None = None  # what `save` wrote beside them


def read_saved(name: str, path: str | Path, titles: str) -> FileWeights:
    """Return the weights in a file of `save`, and the classes in its metadata.

    `titles` are the formats in which the architecture's weights are known, for the message.
    """
    metadata, head = read_metadata(path), MODELS[name].head
    if "architecture" not in metadata:
        origin = describe_names(read(path))
        raise InputError(
            f"{path}: its metadata name no architecture, as those of `salix convert` do"
            + (f"; its names are those of {origin}" if origin else "")
            + f". Weights of {name} are read from {titles}"
        )
    saved = metadata["architecture"]
    if saved != name:
        raise InputError(f"{path} contains weights of {saved!a}, not of {name}")
    try:
        classes = json.loads(metadata["classes"])
    except (KeyError, ValueError, RecursionError):
        classes = None
    if not isinstance(classes, list) or not all(isinstance(c, str) for c in classes):
        raise InputError(f"{path}: its metadata names no classes")
    weights = read(path)
    one = head in weights and weights[head].size == 1
    outputs = 1 if one and len(classes) == 2 else len(classes)
    chosen, preprocess = metadata.get("chosen"), _saved_preprocess(metadata, path)
    return FileWeights(weights, tuple(classes), outputs, f"{path}", chosen, preprocess)


def _saved_preprocess(metadata: Mapping[str, str], path: str | Path) -> Preprocess | None:
    """Return the preprocessing in the metadata of a file of `save`, None where it has none."""
    if "preprocess" not in metadata:
        return None
    try:
        saved = dict(json.loads(metadata["preprocess"]))
        tuples: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in saved.items()
        }
        return Preprocess(**tuples)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: the preprocessing in its metadata is unusable: {error}"
        ) from None
