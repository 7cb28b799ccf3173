"""Names of Keras layers and variables, numbered as in a fresh session."""

import re
from collections.abc import Iterable
from typing import Any

__all__ = ["config_layers", "layer_class", "renumber", "variable_names"]

_NUMBERED = re.compile(
    r"((?:depthwise_|separable_)?conv[123]d(?:_transpose)?|dense|(?:batch|layer)_normalization"
    r"|embedding|p_re_lu)(?:_(\d+))?"
)
_KERNEL = (("kernel", "bias"), ("kernel",))
_SEPARABLE = (("depthwise_kernel", "pointwise_kernel", "bias"),)
# Keras 3 numbers the variables of a layer; a number of them that is not here stays numbered, as a
# normalisation without scale or without offset, which look the same.
_VARIABLES: dict[str, tuple[tuple[str, ...], ...]] = {
    "depthwise_conv2d": (("depthwise_kernel", "bias"), ("depthwise_kernel",)),
    "separable_conv2d": (*_SEPARABLE, _SEPARABLE[0][:2]),
    "batch_normalization": (("gamma", "beta", "moving_mean", "moving_variance"),),
    "layer_normalization": (("gamma", "beta"),),
    "embedding": (("embeddings",),),
    "p_re_lu": (("alpha",),),
}


def layer_class(layer: str) -> str | None:
    """Return the class in a name that Keras gives, conv2d of "conv2d_17"; None for another."""
    match = _NUMBERED.fullmatch(layer)
    return match[1] if match else None


def renumber(layers: Iterable[str]) -> dict[str, str]:
    """Return layer names with Keras' own names numbered from the first layer of the file.

    Keras counts through a session, so that one network is saved as conv2d_1, conv2d_5, ...; here
    the first is conv2d, the second conv2d_1, as in a fresh session.
    """
    names = {layer: layer for layer in layers}
    numbers: dict[str, list[tuple[int, str]]] = {}
    for layer in names:
        if match := _NUMBERED.fullmatch(layer):
            numbers.setdefault(match[1], []).append((int(match[2] or 0), layer))
    for kind, numbered in numbers.items():
        for rank, (_, layer) in enumerate(sorted(numbered)):
            names[layer] = f"{kind}_{rank}" if rank else kind
    return names


def variable_names(layer: str, count: int) -> tuple[str, ...]:
    """Return the names of the `count` variables of a layer of Keras 3, in their order."""
    kind = layer_class(layer)
    choices = _VARIABLES.get(kind, _KERNEL) if kind else ()
    numbered = tuple(f"vars.{i}" for i in range(count))
    return next((names for names in choices if len(names) == count), numbered)


def config_layers(config: Any) -> dict[str, str]:
    """Return the names of the layers in the config.json of a model by their keys in Keras 3 files.

    A key is the class of the layer, numbered in the order of the model: conv2d, conv2d_1, ...
    """
    names: dict[str, str] = {}
    count: dict[str, int] = {}
    for layer in config["config"]["layers"]:
        # "BatchNormalization" -> "batch_normalization", as Keras does
        key = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", layer["class_name"]))
        key = re.sub(r"([a-z])([A-Z])", r"\1_\2", key).lower()
        number = count[key] = count.get(key, -1) + 1
        names[f"{key}_{number}" if number else key] = str(layer["config"]["name"])
    return names
