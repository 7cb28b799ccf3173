"""Modules to start from: drawn by seed, or a checkpoint with a head of other classes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flax import nnx

from salix.models import MODELS, build, load
from salix.models.checkpoints.module_state import WEIGHTS
from salix.typing import InputError


def starts(
    name: str, weights: Path | str | None, classes: Sequence[str] | None
) -> tuple[Callable[[int], Any], dict[str, Any]]:
    """Return what `train` takes for an architecture: `build`, and what is known of its model.

    With `weights`, a file as for `salix.models.load`, each seed starts from them. Where the file
    is for another number of classes the last layer is drawn by the seed instead. Raises
    `InputError` as `load` does, and where the number of classes cannot change.
    """
    if weights is None:
        nnx.eval_shape(lambda: build(name, classes=classes))  # raises for what it cannot be
        known = MODELS[name]
        named = known.classes if classes is None else tuple(classes)
        about = {"preprocess": known.preprocess, "classes": named, "name": name}
        return lambda seed: build(name, seed, named), about
    model, held = load(name, weights)
    named = model.classes if classes is None else tuple(classes)
    head, same = MODELS[name].head.rpartition(".")[0], len(named) == len(model.classes)
    if not same and not head:
        raise InputError(f"{name} has {len(model.classes)} classes and cannot have {len(named)}")
    flat = dict(nnx.to_flat_state(held))
    about = {"preprocess": model.preprocess, "classes": named, "name": name}

    def start(seed: int) -> Any:
        module = build(name, seed, named)
        state = nnx.state(module, WEIGHTS)
        for path, leaf in nnx.to_flat_state(state):
            if same or ".".join(map(str, path[:-1])) != head:
                leaf.set_value(flat[path].get_value())
        nnx.update(module, state)
        return module

    return start, about
