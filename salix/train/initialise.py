"""Initial weights of a training: drawn by seed, or from a checkpoint with a new head."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flax import nnx

from salix.models import MODELS, build, load
from salix.models.checkpoints.module_state import WEIGHTS
from salix.typing import InputError


def initialiser(
    name: str, weights: Path | str | None = None, *, classes: Sequence[str] | None = None
) -> tuple[Callable[[int], Any], dict[str, Any]]:
    """Return `build` and the keyword arguments `preprocess, classes, name` for `train`.

    `build(seed)` returns an initialised module: with `weights`, a file as for
    `salix.models.load`, each seed starts from them. Where the file is for another number of
    classes the last layer is drawn by the seed instead. Raises `InputError` as `load` does, and
    where the number of classes cannot change.
    """
    if weights is None:
        nnx.eval_shape(lambda: build(name, classes=classes))  # raises for invalid classes
        architecture = MODELS[name]
        names = architecture.classes if classes is None else tuple(classes)
        about = {"preprocess": architecture.preprocess, "classes": names, "name": name}
        return lambda seed: build(name, seed, classes=names), about
    model, params = load(name, weights)
    names = model.classes if classes is None else tuple(classes)
    head, same = MODELS[name].head.rpartition(".")[0], len(names) == len(model.classes)
    if not same and not head:
        raise InputError(f"{name} has {len(model.classes)} classes and cannot have {len(names)}")
    loaded = dict(nnx.to_flat_state(params))
    about = {"preprocess": model.preprocess, "classes": names, "name": name}

    def from_checkpoint(seed: int) -> Any:
        module = build(name, seed, classes=names)
        state = nnx.state(module, WEIGHTS)
        for path, leaf in nnx.to_flat_state(state):
            if same or ".".join(map(str, path[:-1])) != head:
                leaf.set_value(loaded[path].get_value())
        nnx.update(module, state)
        return module

    return from_checkpoint, about
