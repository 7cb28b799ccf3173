"""Reader of Orbax checkpoints: the array folders that JAX training writes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salix.models.checkpoints.errors import input_errors, printable
from salix.typing import InputError

__all__ = ["is_orbax", "read_orbax"]

LIMIT = 1 << 34  # bytes of all arrays; a checkpoint of a few bytes may declare any size
_METADATA = "_METADATA"


def _array_folder(path: Path) -> Path:
    """Return the folder of the arrays: the path, or its `default` as a manager writes a step."""
    inner = path / "default"
    return inner if not (path / _METADATA).is_file() and (inner / _METADATA).is_file() else path


def is_orbax(path: Path) -> bool:
    """Return whether a folder is an Orbax checkpoint."""
    return (_array_folder(path) / _METADATA).is_file()


def _leaves(tree: Any, name: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dicts and lists by dotted name.

    Flax writes an array of an nnx state as {"value": array}.
    """
    if isinstance(tree, Mapping):
        for key, inner in tree.items():
            yield from _leaves(inner, (*name, str(key)))
    elif isinstance(tree, Sequence):
        for position, inner in enumerate(tree):
            yield from _leaves(inner, (*name, str(position)))
    elif tree is not None:
        yield ".".join(name[:-1] if name[-1:] == ("value",) else name), tree


def _restore(path: Path) -> Any:
    """Return the tree of arrays; of {"params": tree, ...} the parameters alone."""
    import jax
    import orbax.checkpoint as ocp

    with ocp.PyTreeCheckpointer() as checkpointer:
        metadata = checkpointer.metadata(path).item_metadata
        if metadata is None:
            raise InputError("has no description of its arrays")
        tree = metadata.tree
        wanted = {"params": tree["params"]} if "params" in tree else tree
        total = 0
        for name, leaf in _leaves(wanted):
            shape, dtype = getattr(leaf, "shape", None), getattr(leaf, "dtype", None)
            if shape is None or dtype is None:
                raise InputError(f"contains no array at {printable(name)}")
            total += math.prod(shape) * np.dtype(dtype).itemsize
        if total > LIMIT:
            raise InputError(f"declares {total} bytes of arrays, more than {LIMIT}")
        plain = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), wanted)
        args = ocp.args.PyTreeRestore(item=wanted, restore_args=plain, partial_restore=True)
        restored = checkpointer.restore(path, args=args)
    return restored.get("params", restored)


def read_orbax(path: str | Path) -> dict[str, np.ndarray]:
    """Return the arrays of an Orbax checkpoint by dotted name, like "conv1.kernel".

    `path` is a folder of `StandardCheckpointer`, or a step of a `CheckpointManager`. Of a tree
    {"params": ..., ...} only the parameters are read. Nothing is unpickled. Raises InputError,
    naming the folder, for a damaged one and for other folders.
    """
    path = Path(path)
    if not is_orbax(path):
        raise InputError(f"{path}: not an Orbax checkpoint")
    # Orbax raises nearly anything at a damaged folder.
    with input_errors(path, "an Orbax checkpoint", Exception):
        leaves = list(_leaves(_restore(_array_folder(path).resolve())))
        arrays = {name: np.asarray(leaf) for name, leaf in leaves}
        if not arrays or len(arrays) < len(leaves):
            raise InputError(f"contains {len(leaves)} arrays by {len(arrays)} names")
    return arrays
