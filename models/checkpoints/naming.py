"""Names and layouts of published weights, and their conversion to ours.

Our names are the dotted paths of a Flax module's state, our layouts those of JAX: kernels HWIO,
dense IO.
"""

from collections.abc import Callable, Mapping

import jax
import numpy as np

__all__ = [
    "Layout",
    "NamedArrays",
    "Naming",
    "Shapes",
    "WeightTable",
    "WeightTables",
    "batch_norm",
    "conv",
    "convert",
    "dense",
    "same",
    "torch_names",
    "transposed",
]

NamedArrays = dict[str, np.ndarray]
Layout = Callable[[np.ndarray], np.ndarray]  # from the layout of a file to ours
WeightTable = Mapping[str, tuple[str, Layout]]  # our name -> the name in a file and its layout
Shapes = Mapping[str, jax.ShapeDtypeStruct]  # by our names
WeightTables = Mapping[
    str, WeightTable
]  # by origin: the library or the authors whose names they are
Naming = Callable[[Shapes], WeightTables]  # of our shapes


def same(array: np.ndarray) -> np.ndarray:
    """Return an array whose layout is ours already."""
    return array


def dense(array: np.ndarray) -> np.ndarray:
    """Return a PyTorch linear weight OI as IO."""
    return array.T


def conv(array: np.ndarray) -> np.ndarray:
    """Return a PyTorch convolution OIHW as HWIO."""
    return array.transpose(2, 3, 1, 0)


def transposed(array: np.ndarray) -> np.ndarray:
    """Return a PyTorch transposed convolution IOHW as HWIO of the equivalent convolution.

    PyTorch scatters the kernel from each input; gathered at each output, the kernel is rotated by
    180 degrees.
    """
    return array.transpose(2, 3, 0, 1)[::-1, ::-1]


def batch_norm(ours: str, theirs: str) -> WeightTable:
    """Return the four rows of a PyTorch batch normalisation in evaluation."""
    return {f"{ours}.{part}": (f"{theirs}.{_TORCH_PARTS[part]}", same) for part in _STATISTICS}


_STATISTICS = ("scale", "bias", "mean", "var")
_TORCH_PARTS = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


def torch_names(shapes: Shapes, torch_layer: Callable[[str], str]) -> WeightTable:
    """Return the rows of a PyTorch module, given its name for each of our layers.

    The layers are convolutions, linear layers and batch normalisations.
    """
    table: dict[str, tuple[str, Layout]] = {}
    for ours, leaf in shapes.items():
        layer, _, part = ours.rpartition(".")
        layouts = {4: conv, 2: dense} if part == "kernel" else {}
        layout = layouts.get(len(leaf.shape), same)
        table[ours] = (f"{torch_layer(layer)}.{_TORCH_PARTS[part]}", layout)
    return table


def convert(table: WeightTable, arrays: NamedArrays) -> NamedArrays:
    """Return the arrays of a file under our names and in our layouts.

    An array that the table lacks keeps its name, so that `match` reports it; the batch counters of
    PyTorch are dropped. An array with another number of axes than its layout is not transposed.
    """
    rows: dict[str, list[tuple[str, Layout]]] = {}
    for ours, (theirs, layout) in table.items():
        rows.setdefault(theirs, []).append((ours, layout))
    result: NamedArrays = {}
    for theirs, array in arrays.items():
        if theirs.endswith("num_batches_tracked"):
            continue
        for ours, layout in rows.get(theirs, [(theirs, same)]):
            try:
                result[ours] = layout(array)
            except ValueError:
                result[ours] = array
    return result
