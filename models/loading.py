"""Classifiers by name: building them, and their parameters from files and to files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from salix.adapters import from_nnx
from salix.model import Model
from salix.models.checkpoints.module_state import arrays, expected, filled
from salix.models.checkpoints.weights import (
    Arrays,
    Naming,
    Shapes,
    Table,
    convert,
    inner,
    kind,
    manifest,
    match,
    read,
    write,
)
from salix.models.registry import MODELS, Architecture
from salix.nn import fold
from salix.typing import InputError, Params

__all__ = ["build", "load", "save"]


def _architecture(name: str) -> Architecture:
    if name not in MODELS:
        raise InputError(f"no architecture {name!r}: there are {', '.join(sorted(MODELS))}")
    return MODELS[name]


def _classes(name: str, classes: Sequence[str]) -> tuple[str, ...]:
    about = _architecture(name)
    classes = tuple(classes)
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise InputError(f"{name} needs at least two classes with different names, not {classes}")
    if about.fixed and len(classes) != len(about.classes):
        raise InputError(f"{name} has {len(about.classes)} classes, not {len(classes)}: {classes}")
    return classes


def build(name: str, seed: int = 0, classes: Sequence[str] | None = None) -> Any:
    """Return the Flax module of an architecture, its weights drawn with `seed`.

    Raises InputError for an unknown name, or classes that the architecture cannot have.
    """
    about = _architecture(name)
    classes = _classes(name, about.classes if classes is None else classes)
    return about.build(nnx.Rngs(seed), len(classes))


def _manifest(name: str, path: str | Path) -> tuple[str, ...]:
    """Return the classes in the manifest of a file that `save` wrote for this architecture."""
    about = manifest(path)
    saved = about.get("architecture", "no architecture")
    if saved != name:
        raise InputError(f"{path} holds weights of {saved!a}, not of {name}")
    try:
        classes = json.loads(about["classes"])
    except (KeyError, ValueError):
        classes = None
    if not isinstance(classes, list) or not all(isinstance(c, str) for c in classes):
        raise InputError(f"{path}: its manifest names no classes")
    return tuple(classes)


def _published(about: Architecture, table: Table | Naming, held: Arrays) -> Arrays:
    """Give the arrays of a published file our names and layouts."""
    shapes: Shapes = {}
    if callable(table) or about.ones:
        shapes = expected(lambda: about.build(nnx.Rngs(0), len(about.classes)))
    if callable(table):
        table = table(shapes, held)
        held = inner(table, held)
    held = {n: a for n, a in convert(table, held).items() if not n.startswith(about.unused)}
    left_out = [n for n in shapes if n.endswith(about.ones) and n not in held]
    return held | {n: np.ones(shapes[n].shape, np.float32) for n in left_out}


def _read(name: str, path: str | Path) -> tuple[Arrays, tuple[str, ...]]:
    """Return the weights in a file by our names, and the classes that it is for."""
    about, form = MODELS[name], kind(path)
    if form == "safetensors" and ("torch" not in about.tables or "architecture" in manifest(path)):
        return read(path), _manifest(name, path)
    form = "torch" if form == "safetensors" else form  # a state dict, as timm publishes them
    if form not in ("orbax", *about.tables):
        known = ", ".join(["safetensors", "orbax", *about.tables])
        raise InputError(f"{path}: no {form} weights of {name} are known, only {known}")
    held = read(path)
    held = held if form == "orbax" else _published(about, about.tables[form], held)
    count = held[about.head].size if about.head in held else len(about.classes)
    if count == len(about.classes):
        return held, about.classes
    return held, tuple(map(str, range(count)))


def load(
    name: str,
    weights: str | Path | None = None,
    *,
    classes: Sequence[str] | None = None,
    folded: bool = False,
) -> tuple[Model, Params]:
    """Return a classifier by name and its parameters, read from a file or drawn with seed 0.

    `weights` is a file that `save` wrote, a published one of a kind in `MODELS[name].tables`, or a
    checkpoint of Orbax of such parameters, by themselves or in a tree {"params": ...}.
    `classes` names the outputs in order; None takes the names in the file, or else the
    architecture's own, or "0", "1", ... where the file has another number of them. `folded` gives
    a network for maps alone, see `fold`. Raises InputError for an unknown name, a file that does
    not fit or holds NaN, or a wrong number of classes.
    """
    about = _architecture(name)
    if weights is None:
        named = _classes(name, about.classes if classes is None else classes)
        module = build(name, classes=named)
    else:
        held, found = _read(name, weights)
        named = _classes(name, found if classes is None else classes)
        if len(named) != len(found):
            raise InputError(f"{weights} has {len(found)} classes, not {len(named)}")
        module = filled(lambda: about.build(nnx.Rngs(0), len(named)), held, weights, name)
    module = fold(module) if folded else module
    return from_nnx(module, preprocess=about.preprocess, classes=named, name=name)


def save(
    name: str, path: str | Path, params: Params, *, classes: Sequence[str] | None = None
) -> None:
    """Write parameters as safetensors, with the architecture and its classes as metadata.

    Raises InputError when the parameters are not those of the architecture, or hold NaN.
    """
    about = _architecture(name)
    named = _classes(name, about.classes if classes is None else classes)
    shapes = expected(lambda: about.build(nnx.Rngs(0), len(named)))
    fitted = match(shapes, arrays(params), path, name)
    write(path, fitted, {"architecture": name, "classes": json.dumps(named)})
