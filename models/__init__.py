"""Architectures of image models in Flax, and their weights.

`load` gives a classifier and its parameters by name; `dcgan` and `vae` give image generators.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flax import nnx

from salix.model import Model, Preprocess, from_nnx
from salix.models import meso, small
from salix.models.dcgan import DCGAN, dcgan
from salix.models.fill import arrays, expected, filled
from salix.models.meso import Meso4
from salix.models.small import Small
from salix.models.vae import VAE, vae
from salix.models.weights import Arrays, Table, convert, kind, manifest, match, read, write
from salix.typing import InputError, Params

# `dcgan` and `vae` are functions here, and the modules that hold them when imported by full name.
__all__ = [
    "DCGAN",
    "MODELS",
    "VAE",
    "Architecture",
    "Meso4",
    "Small",
    "build",
    "dcgan",
    "load",
    "save",
    "vae",
]


@dataclass(frozen=True)
class Architecture:
    """What is known of a classifier: how to build it, feed it, and read its published weights."""

    build: Callable[[nnx.Rngs, int], nnx.Module]  # of the number of classes
    preprocess: Preprocess
    classes: tuple[str, ...]
    parameters: int  # number of trained weights, with the default classes
    source: str
    fixed: bool = False  # the number of classes is part of the architecture
    tables: Mapping[str, Table] = field(default_factory=dict)  # by kind of file, see `weights.kind`


MODELS: dict[str, Architecture] = {
    "meso4": Architecture(
        build=lambda rngs, classes: Meso4(rngs),
        preprocess=Preprocess(size=(256, 256)),
        classes=("fake", "real"),
        parameters=27_977,
        source="Afchar et al. (2018), arXiv:1809.00888; weights: Meso4_DF.h5, Meso4_F2F.h5",
        fixed=True,
        tables={"keras": meso.KERAS},
    ),
    "small": Architecture(
        build=lambda rngs, classes: Small(rngs),
        preprocess=Preprocess(size=(64, 64), channels=1),
        classes=small.CLASSES,
        parameters=60_498,
        source="salix: made to be trained in seconds",
        fixed=True,
    ),
}


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


def _read(name: str, path: str | Path) -> tuple[Arrays, tuple[str, ...]]:
    """Return the weights in a file by our names, and the classes that it is for."""
    about, form = MODELS[name], kind(path)
    if form == "safetensors":
        return read(path), _manifest(name, path)
    if form not in about.tables:
        known = ", ".join(["safetensors", *about.tables])
        raise InputError(f"{path}: no {form} weights of {name} are known, only {known}")
    return convert(about.tables[form], read(path)), about.classes


def load(
    name: str, weights: str | Path | None = None, classes: Sequence[str] | None = None
) -> tuple[Model, Params]:
    """Return a classifier by name and its parameters, read from a file or drawn with seed 0.

    `weights` is a file that `save` wrote, or a published one of a kind in `MODELS[name].tables`.
    `classes` names the outputs in order; None takes the names in the file, or else the
    architecture's own. Raises InputError for an unknown name, a file that does not fit or holds
    NaN, or a wrong number of classes.
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
    return from_nnx(module, preprocess=about.preprocess, classes=named, name=name)


def save(path: str | Path, name: str, params: Params, classes: Sequence[str] | None = None) -> None:
    """Write parameters as safetensors, with the architecture and its classes as metadata.

    Raises InputError when the parameters are not those of the architecture, or hold NaN.
    """
    about = _architecture(name)
    named = _classes(name, about.classes if classes is None else classes)
    shapes = expected(lambda: about.build(nnx.Rngs(0), len(named)))
    fitted = match(shapes, arrays(params), path, name)
    write(path, fitted, {"architecture": name, "classes": json.dumps(named)})
