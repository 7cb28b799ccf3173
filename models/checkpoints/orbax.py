"""Reader of Orbax checkpoints: folders of arrays that the training of a JAX model leaves."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salix.models.checkpoints.restricted_pickle import shown
from salix.typing import InputError

LIMIT = 1 << 34  # bytes of all arrays; a checkpoint of a few bytes may declare any size
_MARK = "_METADATA"


def _folder(path: Path) -> Path:
    """Return the folder of the arrays: the path, or its `default` as a manager writes a step."""
    inner = path / "default"
    return path if (path / _MARK).is_file() or not (inner / _MARK).is_file() else inner


def is_orbax(path: Path) -> bool:
    """Whether a folder is a checkpoint that Orbax wrote."""
    return (_folder(path) / _MARK).is_file()


def _leaves(tree: Any, name: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Give the leaves of nested dicts and lists by dotted name.

    Flax writes an array of an nnx state as {"value": array}.
    """
    if isinstance(tree, Mapping):
        for key, inner in tree.items():
            yield from _leaves(inner, (*name, str(key)))
    elif isinstance(tree, Sequence):
        for at, inner in enumerate(tree):
            yield from _leaves(inner, (*name, str(at)))
    elif tree is not None:
        yield ".".join(name[:-1] if name[-1:] == ("value",) else name), tree


def _checked(tree: Any) -> None:
    """Refuse what is not arrays, or too large."""
    total = 0
    for name, leaf in _leaves(tree):
        shape, dtype = getattr(leaf, "shape", None), getattr(leaf, "dtype", None)
        if shape is None or dtype is None:
            raise InputError(f"holds no array at {shown(name)}")
        total += math.prod(shape) * np.dtype(dtype).itemsize
    if total > LIMIT:
        raise InputError(f"declares {total} bytes of arrays, more than {LIMIT}")


def _restored(path: Path) -> Any:
    """Return the tree of arrays, of {"params": tree, ...} that of the parameters alone."""
    import jax
    import orbax.checkpoint as ocp

    with ocp.PyTreeCheckpointer() as checkpointer:
        found = checkpointer.metadata(path).item_metadata
        if found is None:
            raise InputError("has no description of its arrays")
        tree = found.tree
        wanted = {"params": tree["params"]} if "params" in tree else tree
        _checked(wanted)
        plain = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), wanted)
        args = ocp.args.PyTreeRestore(item=wanted, restore_args=plain, partial_restore=True)
        held = checkpointer.restore(path, args=args)
    return held.get("params", held)


def read_orbax(path: str | Path) -> dict[str, np.ndarray]:
    """Return the arrays of an Orbax checkpoint by dotted name, like "conv1.kernel".

    `path` is a folder that `StandardCheckpointer` wrote, or a step of a `CheckpointManager`. Of a
    tree {"params": ..., ...} the parameters alone are read. Nothing is unpickled. Raises
    InputError, naming the folder, for what is damaged or no checkpoint.
    """
    path = Path(path)
    if not is_orbax(path):
        raise InputError(f"{path}: not a checkpoint of Orbax")
    try:
        leaves = list(_leaves(_restored(_folder(path).resolve())))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # whatever its reader stumbles over in a damaged folder
        said = shown(str(error).strip().split("\n")[0])
        raise InputError(f"{path}: a damaged checkpoint ({type(error).__name__}: {said})") from None
    arrays = {name: np.asarray(leaf) for name, leaf in leaves}
    if not arrays or len(arrays) < len(leaves):
        raise InputError(f"{path}: holds {len(leaves)} arrays by {len(arrays)} names")
    return arrays
