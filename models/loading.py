"""Classifiers by name: construction, loading and saving of their parameters."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from flax import nnx

from salix.adapters import from_nnx
from salix.model import Model
from salix.models.checkpoints.module_state import arrays, expected, filled, match
from salix.models.checkpoints.safetensors import write_safetensors
from salix.models.detectors import architecture_of, check_detector
from salix.models.placements import loaded_weights
from salix.models.reading import read_weights
from salix.nn import fold
from salix.preprocess import Preprocess
from salix.typing import InputError, Params

__all__ = ["build", "checked_classes", "load", "save"]
SHOWN = 6  # names of classes in a message


def checked_classes(name: str, classes: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the classes, None for the architecture's own."""
    _, architecture = architecture_of(name)
    classes = architecture.classes if classes is None else tuple(classes)
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise InputError(f"{name} needs at least two classes with different names, not {classes}")
    if architecture.fixed and len(classes) != len(architecture.classes):
        own = ", ".join(architecture.classes[:SHOWN])
        named = ", ".join(map(str, classes[:SHOWN])) + ", …" * (len(classes) > SHOWN)
        raise InputError(
            f"{name} has {len(architecture.classes)} classes, not {len(classes)}: leave them out "
            f"for its own ({own}), instead of {named}"
        )
    return classes


def build(name: str, seed: int = 0, *, classes: Sequence[str] | None = None) -> Any:
    """Return the Flax module of an architecture, its weights initialised with `seed`.

    `name` is one of `MODELS` or of `DETECTORS`. Raises InputError for an unknown name, or classes
    that the architecture cannot have.
    """
    count = len(checked_classes(name, classes))
    return architecture_of(name)[1].build(nnx.Rngs(seed), count)


def load(
    name: str,
    weights: str | Path | None = None,
    *,
    classes: Sequence[str] | None = None,
    prefix: str | None = None,
    ema: bool | None = None,
    head: str | Path | None = None,
    ignore: Sequence[str] = (),
    allow_missing: Sequence[str] = (),
    folded: bool = False,
) -> tuple[Model, Params]:
    """Return a classifier by name and its parameters, read from a file or initialised with seed 0.

    `weights` is a file of `save`, a published file in a format of `MODELS[name].tables`, or an
    Orbax checkpoint of such parameters. The network is recognised by its trunk, under any prefix
    and with a linear head of any name; of several different networks in the file `prefix` names
    one ("state_dict_ema"), or `ema` chooses the average of the weights (True) or the weights
    themselves (False). `Model.chosen` says which it is. `head` is a file of a linear layer alone,
    as published for the trunk in `weights`. The preprocessing is the one that `save`
    wrote in the file, else the architecture's.

    Arrays of the file whose names match a pattern of `ignore` ("neck.*") are left out. Parameters
    that match one of `allow_missing` ("fc.*") keep initial values where the file lacks them; half
    of the network must be in it. `Model.weights` counts both.

    The name of a published detector, of `DETECTORS`, stands for its architecture, with the
    detector's own preprocessing and the classes real and fake.

    `classes` names the outputs in order; None takes the names in the file, else the
    architecture's own, else "0", "1", ... where the file has another number of them. A network
    with one output z has two classes, and sigmoid(z) is the probability of the second. `folded`
    returns a network for maps alone, see `fold`. Raises InputError for an unknown name, a file
    that does not fit, contains NaN or several networks, a pattern that matches nothing, or a wrong
    number of classes.
    """
    architecture_name, architecture = architecture_of(name)
    chosen, read, preprocess = None, None, architecture.preprocess
    if weights is None:
        if (prefix, ema, head) != (None, None, None) or ignore or allow_missing:
            raise InputError(
                "prefix, ema, head, ignore and allow_missing belong to a weight file: give weights"
            )
        names = checked_classes(name, classes)
        module = build(name, classes=names)
    else:
        file = read_weights(
            architecture_name,
            weights,
            prefix=prefix,
            ema=ema,
            head=head,
            ignore=ignore,
            allow_missing=allow_missing,
        )
        check_detector(name, weights, len(file.classes))
        names = checked_classes(name, file.classes if classes is None else classes)
        outputs = file.outputs
        if f"{architecture.head.rpartition('.')[0]}.kernel" in file.initialised:
            outputs = len(names)  # of a new head
        elif len(names) != len(file.classes):
            one = " (one output, the probability of the second)" if file.outputs == 1 else ""
            raise InputError(f"{weights} has {len(file.classes)} classes{one}, not {len(names)}")
        chosen, preprocess = file.chosen, file.preprocess or preprocess
        module = filled(
            lambda rngs: architecture.build(rngs, outputs),
            dict(file.arrays),
            file.network,
            architecture_name,
            initialised=file.initialised,
            remedy="; salix inspect lists where each array goes",
        )
        read = loaded_weights(file)
    module = fold(module) if folded else module
    model, params = from_nnx(module, preprocess=preprocess, classes=names, name=name)
    return replace(model, chosen=chosen, weights=read), params


def save(
    name: str,
    path: str | Path,
    params: Params,
    *,
    classes: Sequence[str] | None = None,
    chosen: str | None = None,
    preprocess: Preprocess | None = None,
    initialised: Sequence[str] = (),
) -> None:
    """Write parameters as safetensors, with the architecture and its classes as metadata.

    `preprocess` is that of the images which the network was trained on; None writes the
    architecture's. `chosen` is the network of the weight file that the parameters come from,
    `Model.chosen`, and `initialised` are the names that it lacked, `Model.weights.initialised`.
    Raises InputError when the parameters are not those of the architecture, or contain NaN.
    """
    architecture_name, architecture = architecture_of(name)
    names = checked_classes(name, classes)
    weights = arrays(params)
    head = weights.get(architecture.head)
    outputs = 1 if head is not None and head.size == 1 and len(names) == 2 else len(names)
    shapes = expected(lambda rngs: architecture.build(rngs, outputs))
    fitted = match(shapes, weights, path, architecture_name)
    metadata = {
        "architecture": architecture_name,
        "classes": json.dumps(names),
        "preprocess": json.dumps(asdict(preprocess or architecture.preprocess)),
    }
    metadata |= {} if chosen is None else {"chosen": chosen}
    metadata |= {"initialised": json.dumps(list(initialised))} if initialised else {}
    write_safetensors(path, fitted, metadata)
