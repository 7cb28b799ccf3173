"""VGG-16 and VGG-19, plain networks of 3x3 convolutions."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from salix.models.checkpoints.naming import Layout, Shapes, WeightTables, conv, dense, same
from salix.nn import Conv, Linear, Stage, StagedNetwork, max_pool, sequence
from salix.typing import AnyArray

DEPTHS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_WIDTHS = (64, 128, 256, 512, 512)
_GRID = 7  # of the dense layers


def _windows(length: int) -> np.ndarray:
    """Return the matrix [7 length] of means of PyTorch's adaptive windows."""
    matrix = np.zeros((_GRID, length), np.float32)
    for i in range(_GRID):
        low, high = i * length // _GRID, -(-(i + 1) * length // _GRID)
        matrix[i, low:high] = 1 / (high - low)
    return matrix


class VGG(StagedNetwork):
    """Five stages of convolutions 3x3 with ReLU, each before a pool by 2, and three dense layers.

    Images [b h w 3], standardised by ImageNet's mean and deviation; features [b h/32 w/32 512],
    after the last pool: 7x7 of 224x224, the mean of adaptive windows 7x7 of other sizes. The cut
    `conv5` is before that pool. The dropout of their training is left out. With 1000 classes VGG-16
    has 138,357,544 weights, VGG-19 143,667,240.

    Simonyan and Zisserman (2015), arXiv:1409.1556, table 1 (D and E).
    """

    def __init__(
        self,
        rngs: nnx.Rngs,
        classes: int = 1000,
        *,
        depths: tuple[int, ...] = DEPTHS[16],
        widths: tuple[int, ...] = _WIDTHS,
        hidden: int = 4096,
    ):
        inputs, stages = 3, []
        for depth, width in zip(depths, widths, strict=True):
            convs = []
            for _ in range(depth):
                convs.append(Conv(inputs, width, 3, 1, 1, bias=True, rngs=rngs))
                inputs = width
            stages.append(nnx.List(convs))
        self.stages = nnx.List(stages)
        self.fc1 = Linear(inputs * _GRID**2, hidden, rngs=rngs)
        self.fc2 = Linear(hidden, hidden, rngs=rngs)
        self.fc = nnx.Linear(hidden, classes, rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `conv1` to `conv5`, the pool before each but the first, and `pool5`."""
        pool: Stage = partial(max_pool, size=2, strides=2)
        stages: dict[str, Stage] = {}
        for i, convs in enumerate(self.stages, 1):
            layers = [sequence(layer, jax.nn.relu) for layer in convs]
            stages[f"conv{i}"] = sequence(*([pool] if i > 1 else []), *layers)
        return stages | {"pool5": pool}

    def classify(self, features: Float[AnyArray, "b y x c"]) -> Float[Array, "b classes"]:
        """Return the logits of pool5's features."""
        h = jnp.asarray(features)
        if h.shape[1:3] != (_GRID, _GRID):
            rows, columns = (jnp.asarray(_windows(n), h.dtype) for n in h.shape[1:3])
            h = jnp.einsum("iy,jx,byxc->bijc", rows, columns, h, precision="highest")
        h = jax.nn.relu(self.fc1(h.reshape(len(h), -1)))
        return self.fc(jax.nn.relu(self.fc2(h)))


def _first_dense(array: np.ndarray) -> np.ndarray:
    """Return the weight of features [c 7 7], flattened or not, as one of [7 7 c]."""
    axes = array.reshape(len(array), -1, _GRID, _GRID)
    return axes.transpose(2, 3, 1, 0).reshape(-1, len(array))


def _matrix(array: np.ndarray) -> np.ndarray:
    """Return a linear weight, or a convolution 1x1, as IO."""
    return array.reshape(len(array), -1).T


def torch_tables(shapes: Shapes) -> WeightTables:
    """Return the names in a state dict of torchvision and of timm."""
    layers = sorted({n.rpartition(".")[0] for n in shapes if n.startswith("stages.")})
    layers.sort(key=lambda n: tuple(map(int, n.split(".")[1:])))
    numbers: dict[str, int] = {}
    for i, layer in enumerate(layers):  # each has a ReLU behind it, and each stage a pool
        numbers[layer] = 2 * i + int(layer.split(".")[1])
    heads = {
        "torchvision": ("classifier.0", "classifier.3", "classifier.6"),
        "timm": ("pre_logits.fc1", "pre_logits.fc2", "head.fc"),
    }
    layouts: dict[str, Layout] = {"fc1": _first_dense, "fc2": _matrix, "fc": dense}
    tables: WeightTables = {}
    for origin, names in heads.items():
        table: dict[str, tuple[str, Layout]] = {}
        for ours in shapes:
            layer, _, part = ours.rpartition(".")
            kernel, theirs = part == "kernel", "weight" if part == "kernel" else "bias"
            if layer in numbers:
                name = f"features.{numbers[layer]}.{theirs}"
                table[ours] = (name, conv if kernel else same)
            else:
                name = f"{names[('fc1', 'fc2', 'fc').index(layer)]}.{theirs}"
                table[ours] = (name, layouts[layer] if kernel else same)
        tables = {**tables, origin: table}
    return tables
