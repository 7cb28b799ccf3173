"""Checks of a network in a weight file, and remarks on what is left out and initialised."""

from collections.abc import Collection, Sequence
from pathlib import Path

from salix.models.architecture import Architecture
from salix.models.checkpoints.choice import left_out as modules_left_out
from salix.models.checkpoints.errors import printable
from salix.models.checkpoints.naming import NamedArrays
from salix.models.checkpoints.networks import FileNetwork
from salix.models.saved_weights import FileWeights
from salix.typing import InputError

__all__ = ["check_origin", "check_outputs", "list_names", "place", "remarks"]


def place(path: str | Path, prefix: str) -> str:
    """Return the file, and the network in it, for messages."""
    return f"{path}, network {printable(prefix[:-1])!r}," if prefix else f"{path}"


def list_names(names: Collection[str]) -> str:
    """Return the first three of some names, and the number of the others."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(list(names)[:3])}{more}"


def remarks(
    network: FileNetwork,
    architecture: Architecture,
    name: str,
    path: Path,
    *,
    left_out: Sequence[str],
    file: FileWeights,
) -> list[str]:
    """Return the remarks on a network of a file; `left_out` are the arrays that take no part."""
    lines = [f"{name} under {printable(network.name)!r}"] if network.prefix else []
    lines += [network.head.note] if network.head and network.head.note else []
    lines += [f"left out: {modules_left_out(left_out, network.prefix)}"] if left_out else []
    if file.ignored:
        lines.append(f"ignored: {modules_left_out(sorted(file.ignored), network.prefix)}")
    if file.initialised:
        lines.append(f"initial values of {list_names(file.initialised)}")
    lines += [r for r in [architecture.remarks.get(network.origin)] if r]
    beside = path.parent / "preprocessor_config.json"
    if path.name.startswith(("model.safetensors", "pytorch_model.bin")) and beside.is_file():
        lines += [f"{beside.name} beside it is not read: give its preprocessing by options"]
    return lines


def check_origin(architecture: Architecture, name: str, origin: str, path: str | Path) -> None:
    """Refuse names of weights that another arithmetic belongs to."""
    other = architecture.elsewhere.get(origin)
    if other is not None:
        raise InputError(
            f"{path}: its names are those of {origin}, whose network has another padding or "
            f"epsilon than {name}: load it as {other}"
        )


def check_outputs(
    weights: NamedArrays, architecture: Architecture, name: str, path: str | Path
) -> None:
    """Refuse a number of outputs that shows another network of the same names."""
    outputs = weights[architecture.head].size if architecture.head in weights else 0
    if outputs in architecture.unreadable:
        raise InputError(
            f"{path}: {outputs} outputs are those of {architecture.unreadable[outputs]}: "
            f"{name} computes another network"
        )
