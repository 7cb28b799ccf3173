"""Weights in files that `salix.models.save` wrote, with their metadata."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from salix.models.checkpoints.formats import read
from salix.models.checkpoints.origins import describe_names
from salix.models.checkpoints.patterns import matched
from salix.models.checkpoints.safetensors import read_metadata
from salix.models.registry import MODELS
from salix.preprocess import Preprocess
from salix.typing import InputError

__all__ = ["FileWeights", "read_saved"]


@dataclass(frozen=True)
class FileWeights:
    """Arrays of one network of a file by our names, in our layouts.

    `sources` are their names in the file. Of the other arrays of the file `ignored` match a pattern
    of the user, `unplaced` have no place in the network, and the rest takes no part in it.
    """

    arrays: Mapping[str, np.ndarray]
    classes: tuple[str, ...]
    outputs: int  # one output is P(second class), see `Model`
    network: str  # the file and the network in it, for messages
    chosen: str | None  # its prefix in the file; None where its names have none
    preprocess: Preprocess | None = None  # what `save` wrote beside them
    sources: Mapping[str, str] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # of all arrays of the file
    ignored: frozenset[str] = frozenset()
    unplaced: frozenset[str] = frozenset()
    initialised: tuple[str, ...] = ()  # parameters that no array gives, and need none
    inherited: tuple[str, ...] = ()  # of them, those of the file that `save` has written


def read_saved(name: str, path: str | Path, titles: str, ignore: Sequence[str] = ()) -> FileWeights:
    """Return the weights in a file of `save`, and the classes in its metadata.

    `titles` are the formats in which the architecture's weights are known, for the message;
    `ignore` are patterns of arrays to leave out.
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
    classes = _saved_names(metadata, "classes")
    if not classes:
        raise InputError(f"{path}: its metadata names no classes")
    weights = read(path)
    one = head in weights and weights[head].size == 1
    ignored = matched(ignore, weights, "--ignore", f"{path}")
    return FileWeights(
        {n: a for n, a in weights.items() if n not in ignored},
        classes,
        1 if one and len(classes) == 2 else len(classes),
        f"{path}",
        metadata.get("chosen"),
        _saved_preprocess(metadata, path),
        sources={n: n for n in weights if n not in ignored},
        shapes={n: a.shape for n, a in weights.items()},
        ignored=ignored,
        inherited=_saved_names(metadata, "initialised"),
    )


def _saved_names(metadata: Mapping[str, str], key: str) -> tuple[str, ...]:
    """Return the names under a key of metadata, () where there are none."""
    try:
        names = json.loads(metadata[key])
    except (KeyError, ValueError, RecursionError):
        return ()
    texts = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if texts else ()


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
