"""Head in a file of its own, one linear layer, for a trunk in another file."""

from pathlib import Path

from salix.models.checkpoints.formats import read, weights_file
from salix.models.checkpoints.naming import NamedArrays
from salix.models.checkpoints.networks import FileNetwork
from salix.typing import InputError

__all__ = ["check_head", "with_head"]

_NAME = "head_file"


def with_head(arrays: NamedArrays, head: str | Path, path: str | Path) -> NamedArrays:
    """Return the arrays of a trunk with those of a head, a weight [outputs features] and a bias.

    Raises InputError, naming the file, where the head is not one such layer.
    """
    own = {n: a for n, a in read(weights_file(head)).items() if a.ndim}
    parts = {n.rpartition(".")[2]: a for n, a in own.items()}
    shapes = ", ".join(f"{n} {list(a.shape)}" for n, a in list(own.items())[:3])
    if len(own) != 2 or parts.keys() != {"weight", "bias"} or parts["weight"].ndim != 2:
        more = f" and {len(own) - 3} more" if len(own) > 3 else ""
        raise InputError(
            f"{head} is no head of {path}: expected the weight [outputs, features] and the bias of "
            f"one linear layer, not {shapes}{more}"
        )
    return arrays | {f"{_NAME}.{part}": array for part, array in parts.items()}


def check_head(network: FileNetwork, head: str | Path, path: str | Path) -> None:
    """Raise InputError where a network has another head than that of the file `head`."""
    names = {name for name, _ in network.head.rows.values()} if network.head else set()
    if names != {f"{_NAME}.weight", f"{_NAME}.bias"}:
        raise InputError(
            f"{path} has a head of its own, {', '.join(sorted(names))}: leave {head} out"
        )
