"""Reader of Orbax checkpoints: the array folders that JAX training writes."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from salix.models.checkpoints.errors import input_errors, printable
from salix.models.checkpoints.heads import is_training_state
from salix.models.checkpoints.isolated import read_isolated
from salix.models.checkpoints.naming import NamedArrays
from salix.models.checkpoints.orbax_folders import find_step
from salix.typing import InputError

__all__ = ["read_orbax"]

Keys = tuple[str, ...]  # of one leaf of a tree

_KIND = "an Orbax checkpoint"
_STATISTICS = "batch_stats"  # Flax's collection beside params
# Names around a whole network, in which no network differs from another
_WRAPPERS = {"params", "variables", "model", "net", "network", "module", "state", "train_state"}
_WRAPPERS |= {"target", "default", "pytree"}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _homes(keys: Keys, names: Mapping[Keys, Any]) -> Iterator[Keys]:
    """Yield the keys that a leaf of batch statistics has in each network they belong to.

    Statistics belong to the collections of parameters beside them, or beside the collection they
    are in: {"params": ..., "ema_params": ..., "batch_stats": ...}.
    """
    position = next(i for i, key in enumerate(keys) if key.endswith(_STATISTICS))
    variant = keys[position].removesuffix(_STATISTICS)
    for level in range(position, -1, -1):
        inner = {k[level] for k in names if len(k) > level + 1 and k[:level] == keys[:level]}
        params = {key for key in inner if key.endswith("params")}
        own = {
            key
            for key in params
            if variant == key.removesuffix("params")
            or (not variant and f"{key.removesuffix('params')}{_STATISTICS}" not in inner)
        }
        if params:
            yield from ((*keys[:level], key, *keys[position + 1 :]) for key in sorted(own))
            return
    yield (*keys[:position], *keys[position + 1 :])


def _merged(leaves: Mapping[Keys, np.ndarray]) -> dict[Keys, np.ndarray]:
    """Return leaves with the batch statistics among the parameters of their network."""
    merged: dict[Keys, np.ndarray] = {}
    for keys, array in leaves.items():
        is_statistic = any(key.endswith(_STATISTICS) for key in keys)
        for home in _homes(keys, leaves) if is_statistic else (keys,):
            if home in merged:
                raise InputError(f"has two arrays named {printable('.'.join(home))}")
            merged[home] = array
    return merged


def _without_wrappers(leaves: dict[Keys, np.ndarray]) -> dict[Keys, np.ndarray]:
    """Return leaves without the outer keys that all of them share and that name no network."""
    while leaves and len({keys[0] for keys in leaves}) == 1:
        if min(map(len, leaves)) == 1 or next(iter(leaves))[0] not in _WRAPPERS:
            break
        leaves = {keys[1:]: array for keys, array in leaves.items()}
    return leaves


def read_orbax(path: str | Path) -> NamedArrays:
    """Return the arrays of an Orbax checkpoint by dotted name, like "conv1.kernel".

    `path` is a folder of `StandardCheckpointer` or `PyTreeCheckpointer`, or the root or a step of a
    `CheckpointManager`: of a root the latest step is read, which a line on stderr names. The state
    of an optimiser is not read, batch statistics are put among the parameters beside them, and
    outer names like params or model are taken off where all arrays share them. Arrays are read by
    tensorstore in a child process with limits of memory and time; nothing is unpickled. Raises
    InputError, naming the folder, for a damaged or unfinished one and for other folders.
    """
    path = Path(path)
    with input_errors(path, _KIND, OSError, ValueError, TypeError, AttributeError):
        if not path.is_dir():
            raise InputError("not an Orbax checkpoint")
        step = find_step(path)
        leaves: dict[Keys, np.ndarray] = {}
        for item, folder in step.items:
            if is_training_state(item):
                continue
            notes, arrays = read_isolated("zarr_arrays.py", folder.resolve(), _KIND, _size(folder))
            for name, keys in notes.items():
                # Flax writes an array of an nnx state as {"value": array}.
                inner = keys[:-1] if keys[-1] == "value" and len(keys) > 1 else keys
                leaves[(item, *inner) if item else tuple(inner)] = arrays[name]
        leaves = _without_wrappers(_merged(leaves))
        named = {".".join(keys): array for keys, array in leaves.items()}
        if not named or len(named) < len(leaves):
            raise InputError(f"contains {len(leaves)} arrays by {len(named)} names")
    if step.steps:
        others = f"; another is read by its folder, as {step.steps[0]}" if step.steps[1:] else ""
        print(f"{path}: reads {step.folder.name}, the latest step{others}", file=sys.stderr)
    return named
