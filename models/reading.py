"""Weights of an architecture in a file: the network that fits, its classes and what is left out."""

import sys
from pathlib import Path

import numpy as np
from flax import nnx

from salix.models.architecture import Architecture
from salix.models.checkpoints.choice import choose, left_out, unknown
from salix.models.checkpoints.errors import input_errors, printable
from salix.models.checkpoints.formats import FORMATS, kind, read, weights_file
from salix.models.checkpoints.head_file import check_head, with_head
from salix.models.checkpoints.module_state import expected
from salix.models.checkpoints.naming import NamedArrays, Shapes, WeightTables, convert, same
from salix.models.checkpoints.networks import best_partial, find_networks
from salix.models.checkpoints.origins import describe_names
from salix.models.checkpoints.safetensors import read_metadata
from salix.models.registry import MODELS
from salix.models.saved_weights import FileWeights, read_saved
from salix.typing import InputError

__all__ = ["FileWeights", "read_weights"]


def read_weights(
    name: str,
    path: str | Path,
    *,
    prefix: str | None = None,
    ema: bool | None = None,
    head: str | Path | None = None,
) -> FileWeights:
    """Return the weights in a file for an architecture.

    `prefix` and `ema` choose one of several networks, see `choose`; `head` is a file of its last
    layer, where `path` has the trunk alone. A network under a prefix, a
    head of another name and branches that are left out are said in one line on stderr. Raises
    InputError for a file of another architecture, of none and of several networks.
    """
    architecture, path = MODELS[name], weights_file(path)
    file_format = FORMATS[kind(path)]
    form = file_format.names or kind(path)
    if form == "safetensors":
        if "torch" not in architecture.tables or "architecture" in read_metadata(path):
            if head is not None:
                raise InputError(f"{path} has a head of its own: leave head={head} out")
            return read_saved(name, path, _titles(architecture))
        form = "torch"  # a state dict, as timm publishes them
    if form not in ("orbax", *architecture.tables):
        raise InputError(
            f"{path}: no {file_format.title} weights of {name} are known, "
            f"only {_titles(architecture)}"
        )
    shapes = expected(lambda: architecture.build(nnx.Rngs(0), len(architecture.classes)))
    tables = _tables(architecture, form, shapes)
    arrays = read(path)
    omitted = architecture.beside(arrays) if architecture.beside else set()
    arrays = {n: a for n, a in arrays.items() if n not in omitted}
    if head is not None:
        arrays = with_head(arrays, head, path)
    last = architecture.head.rpartition(".")[0]
    with input_errors(Path(path), "a weight file"):
        networks = find_networks(tables, shapes, last, arrays, optional=architecture.ones)
    if not networks:
        weights, where = _partial(architecture, tables, arrays, path)
        origin = describe_names(arrays)
        if origin and not weights.keys() & shapes.keys():
            raise InputError(f"{path}: its names are those of {origin}, not of {name}")
        return _described(architecture, weights, where, None)
    network = choose(networks, arrays, path, name, prefix=prefix, ema=ema)
    _check_origin(architecture, name, network.origin, path)
    if head is not None:
        check_head(network, head, path)
    extra, dead = unknown(network, networks, arrays, architecture.unused)
    weights = {ours: layout(arrays[theirs]) for ours, (theirs, layout) in network.rows.items()}
    outputs = weights[architecture.head].size if architecture.head in weights else 0
    if outputs in architecture.unreadable:
        raise InputError(
            f"{path}: {outputs} outputs are those of {architecture.unreadable[outputs]}: "
            f"{name} computes another network"
        )
    omitted = [n for n in shapes if n.endswith(architecture.ones) and n not in weights]
    weights |= extra | {n: np.ones(shapes[n].shape, np.float32) for n in omitted}
    remarks = [f"{name} under {printable(network.name)!r}"] if network.prefix else []
    remarks += [network.head.note] if network.head and network.head.note else []
    dead = [*dead, *sorted(omitted)]
    remarks += [f"left out: {left_out(dead, network.prefix)}"] if dead else []
    remarks += [r for r in [architecture.remarks.get(network.origin)] if r]
    beside = path.parent / "preprocessor_config.json"
    if path.name.startswith(("model.safetensors", "pytorch_model.bin")) and beside.is_file():
        remarks += [f"{beside.name} beside it is not read: give its preprocessing by options"]
    if remarks:
        print(f"{path}: {'; '.join(remarks)}", file=sys.stderr)
    where = _place(path, network.prefix)
    chosen = network.name if network.prefix or prefix is not None or ema is not None else None
    return _described(architecture, weights, where, chosen)


def _place(path: str | Path, prefix: str) -> str:
    """Return the file, and the network in it, for messages."""
    return f"{path}, network {printable(prefix[:-1])!r}," if prefix else f"{path}"


def _titles(architecture: Architecture) -> str:
    """Return the formats in which weights of an architecture are known."""
    return ", ".join(FORMATS[f].title for f in ("safetensors", "orbax", *architecture.tables))


def _tables(architecture: Architecture, form: str, shapes: Shapes) -> WeightTables:
    if form == "orbax":
        return {"salix": {name: (name, same) for name in shapes}}
    table = architecture.tables[form]
    return table(shapes) if callable(table) else {form: table}


def _check_origin(architecture: Architecture, name: str, origin: str, path: str | Path) -> None:
    """Refuse names of weights that another arithmetic belongs to."""
    other = architecture.elsewhere.get(origin)
    if other is not None:
        raise InputError(
            f"{path}: its names are those of {origin}, whose network has another padding or "
            f"epsilon than {name}: load it as {other}"
        )


def _partial(
    architecture: Architecture, tables: WeightTables, arrays: NamedArrays, path: str | Path
) -> tuple[NamedArrays, str]:
    """Return the arrays of a file without a complete network by our names, and their place."""
    table, prefix = best_partial(tables, arrays)
    inner = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
    converted = convert(table, inner)
    weights = {n: a for n, a in converted.items() if not n.startswith(architecture.unused)}
    return weights, _place(path, prefix)


def _described(
    architecture: Architecture, weights: NamedArrays, network: str, chosen: str | None
) -> FileWeights:
    """Return weights with the architecture's classes, or numbers where they have more outputs."""
    head = weights.get(architecture.head)
    classes = architecture.classes
    outputs = len(classes) if head is None else head.size
    if max(outputs, 2) != len(classes):
        classes = tuple(map(str, range(max(outputs, 2))))
    return FileWeights(weights, classes, outputs, network, chosen)
