"""Initial weights of a training: drawn by seed, or from a checkpoint with a new head."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from flax import nnx

from salix.models import architecture_of, build, load
from salix.models.checkpoints.module_state import WEIGHTS
from salix.models.loading import checked_classes
from salix.typing import InputError


def initialiser(
    name: str,
    weights: Path | str | None = None,
    *,
    classes: Sequence[str] | None = None,
    prefix: str | None = None,
    ema: bool | None = None,
    head: Path | str | None = None,
    ignore: Sequence[str] = (),
    allow_missing: Sequence[str] = (),
) -> tuple[Callable[[int], Any], dict[str, Any]]:
    """Return `build` and the keyword arguments `preprocess, classes, name` for `train`.

    `build(seed)` returns an initialised module: with `weights`, a file as for
    `salix.models.load`, each seed starts from them. Where the file is for another number of
    classes the last layer is drawn by the seed instead, as are the parameters that the file lacks
    by `allow_missing`; one output z becomes the two (-z/2, z/2). The other options are those of
    `load`. Raises `InputError` as `load` does, and where the number of classes cannot change.
    """
    if weights is None:
        _, architecture = architecture_of(name)
        names = checked_classes(name, classes)
        about = {"preprocess": architecture.preprocess, "classes": names, "name": name}
        return lambda seed: build(name, seed, classes=names), about
    choice = {"prefix": prefix, "ema": ema, "head": head}
    model, params = load(name, weights, **choice, ignore=ignore, allow_missing=allow_missing)
    drawn = () if model.weights is None else model.weights.initialised
    names = model.classes if classes is None else tuple(classes)
    last, same = architecture_of(name)[1].head.rpartition(".")[0], len(names) == len(model.classes)
    if not same and not last:
        raise InputError(f"{name} has {len(model.classes)} classes and cannot have {len(names)}")
    loaded = dict(nnx.to_flat_state(params))
    about = {"preprocess": model.preprocess, "classes": names, "name": name}

    def from_checkpoint(seed: int) -> Any:
        module = build(name, seed, classes=names)
        state = nnx.state(module, WEIGHTS)
        for path, leaf in nnx.to_flat_state(state):
            if ".".join(map(str, path)) in drawn:
                continue
            if same or ".".join(map(str, path[:-1])) != last:
                value = loaded[path].get_value()
                if value.shape != leaf.get_value().shape:  # one output z: logits (-z/2, z/2)
                    value = jnp.concatenate([-value / 2, value / 2], axis=-1)
                leaf.set_value(value)
        nnx.update(module, state)
        return module

    return from_checkpoint, about
