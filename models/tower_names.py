"""Names and layouts of a vision transformer's weights in one library's files of PyTorch."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from salix.models.checkpoints.naming import Layout, Shapes, WeightTable, conv, dense, same


@dataclass(frozen=True, kw_only=True)
class TowerNames:
    """Names of one library for the layers of a vision transformer.

    `attention` has query, key, value and output; the first three are one name with {} for weight or
    bias where the library joins them in one array.
    """

    patches: str
    token: str
    positions: str
    block: str  # with {} for its number
    norms: tuple[str, str]
    attention: tuple[str, str, str, str]
    perceptron: tuple[str, str]
    after: str
    head: str
    before: str = ""
    registers: str = ""
    scales: tuple[str, str] = ("", "")
    projection: str = ""
    projection_layout: Layout = dense


def third(array: np.ndarray, part: int) -> np.ndarray:
    """Return query, key or value of a joint array, as IO or as a bias."""
    return np.split(array, 3)[part].T


def _tokens(array: np.ndarray) -> np.ndarray:
    """Return tokens [1 n w] as [n w]."""
    return array[0] if array.ndim == 3 else array


def _vector(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1)


_PARTS = {"kernel": "weight", "scale": "weight", "bias": "bias"}
_LAYERS = ("query", "key", "value", "out")


def _row(names: TowerNames, ours: str) -> tuple[str, Layout]:
    """Return the name in a file, and the layout there, of one of our arrays."""
    match ours.split("."):
        case ["token"]:
            return names.token, _vector
        case ["positions"]:
            return names.positions, _tokens
        case ["registers"]:
            return names.registers, _tokens
        case ["projection", "kernel"]:
            return names.projection, names.projection_layout
        case ["blocks", number, "scale1" | "scale2" as scale]:
            return f"{names.block.format(number)}.{names.scales[scale == 'scale2']}", same
        case ["blocks", number, "attention", layer, part]:
            inner, index = names.attention[_LAYERS.index(layer)], _LAYERS.index(layer)
            if "{}" in inner:
                layout: Layout = partial(third, part=index)
                return f"{names.block.format(number)}.{inner.format(_PARTS[part])}", layout
            theirs = f"{names.block.format(number)}.{inner}"
        case ["blocks", number, layer, part]:
            index = ("norm1", "norm2", "wide", "narrow").index(layer)
            inner = (*names.norms, *names.perceptron)[index]
            theirs = f"{names.block.format(number)}.{inner}"
        case [layer, part]:
            index = ("patches", "before", "after", "fc").index(layer)
            theirs = (names.patches, names.before, names.after, names.head)[index]
            if layer == "patches" and part == "kernel":
                return f"{theirs}.weight", conv
        case _:
            raise ValueError(ours)
    return f"{theirs}.{_PARTS[part]}", dense if part == "kernel" else same


def tower_table(names: TowerNames, shapes: Shapes) -> WeightTable:
    """Return the names in a file, and the layouts there, of a tower of these shapes."""
    return {ours: _row(names, ours) for ours in shapes}
