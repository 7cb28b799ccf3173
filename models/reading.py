"""Weights of an architecture in a file: the network that fits, its classes and what is left out."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from salix.models.architecture import Architecture
from salix.models.checkpoints.choice import choose, unknown
from salix.models.checkpoints.errors import input_errors
from salix.models.checkpoints.formats import FORMATS, kind, read, weights_file
from salix.models.checkpoints.head_file import check_head, with_head
from salix.models.checkpoints.module_state import expected
from salix.models.checkpoints.naming import NamedArrays, Shapes, WeightTables, convert, same
from salix.models.checkpoints.networks import best_partial, find_networks
from salix.models.checkpoints.origins import describe_names
from salix.models.checkpoints.patterns import matched
from salix.models.checkpoints.safetensors import read_metadata
from salix.models.reading_checks import check_origin, check_outputs, place, remarks
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
    ignore: Sequence[str] = (),
    allow_missing: Sequence[str] = (),
) -> FileWeights:
    """Return the weights in a file for an architecture.

    `prefix` and `ema` choose one of several networks, see `choose`; `head` is a file of its last
    layer, where `path` has the trunk alone. `ignore` are patterns of arrays that are left out,
    `allow_missing` patterns of our parameters that the file may lack. One line on stderr names a
    prefix, a head of another name, branches that are left out or ignored, and parameters that keep
    initial values. Raises InputError for a file of another architecture, of none and of several
    networks, and for a pattern without a match.
    """
    architecture, path = MODELS[name], weights_file(path)
    file_format = FORMATS[kind(path)]
    form = file_format.names or kind(path)
    if form == "safetensors":
        if "torch" not in architecture.tables or "architecture" in read_metadata(path):
            if head is not None:
                raise InputError(f"{path} has a head of its own: leave head={head} out")
            file = read_saved(name, path, _titles(architecture), ignore)
            return _completed(file, name, path, allow_missing)
        form = "torch"  # a state dict, as timm publishes them
    if form not in ("orbax", *architecture.tables):
        raise InputError(
            f"{path}: no {file_format.title} weights of {name} are known, "
            f"only {_titles(architecture)}"
        )
    shapes = expected(lambda rngs: architecture.build(rngs, len(architecture.classes)))
    allowed = _allowed(allow_missing, shapes, name)
    tables = _tables(architecture, form, shapes)
    arrays = read(path)
    sizes = {n: array.shape for n, array in arrays.items()}
    ignored = matched(ignore, arrays, "--ignore", f"{path}")
    omitted = architecture.beside(arrays) if architecture.beside else frozenset()
    arrays = {n: a for n, a in arrays.items() if n not in omitted | ignored}
    if head is not None:
        arrays = with_head(arrays, head, path)
        sizes |= {n: arrays[n].shape for n in arrays.keys() - sizes.keys()}
    last = architecture.head.rpartition(".")[0]
    optional = allowed | {n for n in shapes if n.endswith(architecture.ones)}
    with input_errors(Path(path), "a weight file"):
        networks = find_networks(tables, shapes, last, arrays, optional=optional)
    if not networks:
        file = _partial(architecture, tables, arrays, path)
        origin = describe_names(arrays)
        if origin and not file.arrays.keys() & shapes.keys():
            raise InputError(f"{path}: its names are those of {origin}, not of {name}")
        file = replace(file, shapes=sizes, ignored=ignored)
        return _completed(file, name, path, allow_missing)
    network = choose(networks, arrays, path, name, prefix=prefix, ema=ema)
    check_origin(architecture, name, network.origin, path)
    if head is not None:
        check_head(network, head, path)
    extra, dead = unknown(network, networks, arrays, architecture.unused)
    weights = {ours: layout(arrays[theirs]) for ours, (theirs, layout) in network.rows.items()}
    check_outputs(weights, architecture, name, path)
    ones = [n for n in shapes if n.endswith(architecture.ones) and n not in weights]
    weights |= {n.removeprefix(network.prefix): array for n, array in extra.items()}
    weights |= {n: np.ones(shapes[n].shape, np.float32) for n in ones}
    initialised = tuple(n for n in shapes if n in allowed and n not in weights)
    chosen = network.name if network.prefix or prefix is not None or ema is not None else None
    file = replace(
        _described(architecture, weights, place(path, network.prefix), chosen),
        sources={ours: theirs for ours, (theirs, _) in network.rows.items()},
        shapes=sizes,
        ignored=ignored,
        unplaced=frozenset(extra),
        initialised=initialised,
    )
    lines = remarks(network, architecture, name, path, left_out=[*dead, *sorted(ones)], file=file)
    if lines:
        print(f"{path}: {'; '.join(lines)}", file=sys.stderr)
    return file


def _allowed(patterns: Sequence[str], shapes: Shapes, name: str) -> frozenset[str]:
    """Return the parameters that a file may lack."""
    return matched(patterns, shapes, "--allow-missing", f"the parameters of {name}")


def _completed(
    file: FileWeights, name: str, path: str | Path, allow_missing: Sequence[str]
) -> FileWeights:
    """Return arrays that are looked up by their names, with the parameters that may be missing.

    Raises InputError where the file lacks more than half of all.
    """
    if not allow_missing:
        return file
    shapes = expected(lambda rngs: MODELS[name].build(rngs, file.outputs))
    allowed = _allowed(allow_missing, shapes, name)
    count = len(file.arrays.keys() & shapes.keys())
    if 2 * count < len(shapes):
        raise InputError(
            f"{path} has {count} of the {len(shapes)} arrays of {name}, by their names: with "
            "--allow-missing a file needs half of them; salix inspect lists all"
        )
    initialised = tuple(n for n in shapes if n in allowed and n not in file.arrays)
    if initialised:
        print(f"{path}: initial values of {', '.join(initialised)}", file=sys.stderr)
    return replace(file, initialised=initialised)


def _titles(architecture: Architecture) -> str:
    """Return the formats in which weights of an architecture are known."""
    return ", ".join(FORMATS[f].title for f in ("safetensors", "orbax", *architecture.tables))


def _tables(architecture: Architecture, form: str, shapes: Shapes) -> WeightTables:
    if form == "orbax":
        return {"salix": {name: (name, same) for name in shapes}}
    table = architecture.tables[form]
    return table(shapes) if callable(table) else {form: table}


def _partial(
    architecture: Architecture, tables: WeightTables, arrays: NamedArrays, path: str | Path
) -> FileWeights:
    """Return the arrays of a file without a complete network, by our names where they have one."""
    table, prefix = best_partial(tables, arrays)
    inner = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
    converted = convert(table, inner)
    weights = {n: a for n, a in converted.items() if not n.startswith(architecture.unused)}
    sources = {o: prefix + theirs for o, (theirs, _) in table.items() if o in weights}
    unplaced = {prefix + n for n in weights if n not in table}
    file = _described(architecture, weights, place(path, prefix), None)
    return replace(file, sources=sources, unplaced=frozenset(unplaced))


def _described(
    architecture: Architecture, weights: NamedArrays, network: str, chosen: str | None
) -> FileWeights:
    """Return weights with the architecture's classes, or numbers where they have more outputs."""
    kernel = weights.get(f"{architecture.head.rpartition('.')[0]}.kernel")
    head = weights.get(architecture.head)
    classes = architecture.classes
    outputs = len(classes)
    if head is not None:
        outputs = head.size
    elif kernel is not None and kernel.ndim == 2:  # without a bias
        outputs = kernel.shape[1]
    if max(outputs, 2) != len(classes):
        classes = tuple(map(str, range(max(outputs, 2))))
    return FileWeights(weights, classes, outputs, network, chosen)
