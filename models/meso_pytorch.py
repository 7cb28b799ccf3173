"""MesoNet of PyTorch: Meso4 and MesoInception-4 as DeepfakeBench and other ports compute them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from salix.models.checkpoints.naming import Layout, Shapes, WeightTables, torch_names
from salix.nn import Conv, Stage, StagedNetwork, batch_norm, max_pool, sequence
from salix.typing import AnyArray

_GRID, _WIDTH = 8, 16  # of the features of images 256x256


class PyTorchMesoNetwork(StagedNetwork):
    """Blocks of a convolution, ReLU, batch normalisation (epsilon 1e-5) and pool; two dense layers.

    The convolutions have no bias, and one normalisation may serve two blocks. Logits of the
    classes, real and fake. The dropout of their training is left out.
    """

    def named_stages(self) -> dict[str, Stage]:
        """Return `block1` to `block4`."""
        raise NotImplementedError

    def classify(self, features: Float[AnyArray, "b 8 8 16"]) -> Float[Array, "b classes"]:
        """Return the logits of block4's features."""
        flat = jnp.asarray(features).reshape(features.shape[0], -1)
        return self.fc2(jax.nn.leaky_relu(self.fc1(flat), 0.1))

    def _dense(self, classes: int, rngs: nnx.Rngs) -> None:
        self.fc1 = nnx.Linear(_GRID * _GRID * _WIDTH, 16, rngs=rngs)
        self.fc2 = nnx.Linear(16, classes, rngs=rngs)


def _pool(size: int) -> Stage:
    return partial(max_pool, size=size, strides=size)


class PyTorchMeso4(PyTorchMesoNetwork):
    """Meso4 whose first two blocks share one normalisation, and whose last two another.

    Images [b 256 256 3]; convolutions 3x3, 5x5, 5x5, 5x5 of 8, 8, 16, 16 channels, pools by 2, 2,
    2, 4. With two classes 27,898 weights.

    Afchar, Nozick, Yamagishi and Echizen (2018), arXiv:1809.00888, sec. 3.1; names of DeepfakeBench
    and of MesoNet-Pytorch (HongguLiu).
    """

    def __init__(self, rngs: nnx.Rngs, classes: int = 2):
        self.conv1 = Conv(3, 8, 3, 1, 1, rngs=rngs)
        self.norm1 = batch_norm(8, rngs=rngs)
        self.conv2 = Conv(8, 8, 5, 1, 2, rngs=rngs)
        self.norm2 = batch_norm(16, rngs=rngs)
        self.conv3 = Conv(8, 16, 5, 1, 2, rngs=rngs)
        self.conv4 = Conv(16, 16, 5, 1, 2, rngs=rngs)
        self._dense(classes, rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `block1` to `block4`: convolution, ReLU, normalisation and pool."""
        relu, first, second = jax.nn.relu, self.norm1, self.norm2
        return {
            "block1": sequence(self.conv1, relu, first, _pool(2)),
            "block2": sequence(self.conv2, relu, first, _pool(2)),
            "block3": sequence(self.conv3, relu, second, _pool(2)),
            "block4": sequence(self.conv4, relu, second, _pool(4)),
        }


class LinearDilated(nnx.Module):
    """Four branches without ReLU: 1x1, and 1x1 then 3x3 with dilation 1, 2 and 3.

    `widths` are the channels of each branch.
    """

    def __init__(self, inputs: int, widths: tuple[int, int, int, int], rngs: nnx.Rngs):
        first, *others = widths
        self.single = Conv(inputs, first, 1, rngs=rngs)
        self.reduces = nnx.List([Conv(inputs, w, 1, rngs=rngs) for w in others])
        self.dilated = nnx.List(
            nnx.Conv(w, w, (3, 3), kernel_dilation=d, use_bias=False, rngs=rngs)
            for d, w in enumerate(others, 1)
        )

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b h w k"]:
        """Return the branches joined by channel."""
        x = jnp.asarray(x)
        pairs = zip(self.reduces, self.dilated, strict=True)
        return jnp.concatenate([self.single(x), *(d(r(x)) for r, d in pairs)], axis=-1)


class PyTorchMesoInception4(PyTorchMesoNetwork):
    """MesoInception-4 whose modules have no ReLU, and whose last two blocks share a normalisation.

    Images [b 256 256 3]; modules of 1+4+4+2 and 2+4+4+2 channels, two convolutions 5x5 of 16.
    With two classes 28,525 weights.

    Afchar, Nozick, Yamagishi and Echizen (2018), arXiv:1809.00888, sec. 3.2; names of DeepfakeBench
    and of MesoNet-Pytorch (HongguLiu).
    """

    def __init__(self, rngs: nnx.Rngs, classes: int = 2):
        self.mixed1 = LinearDilated(3, (1, 4, 4, 2), rngs)
        self.norm1 = batch_norm(11, rngs=rngs)
        self.mixed2 = LinearDilated(11, (2, 4, 4, 2), rngs)
        self.norm2 = batch_norm(12, rngs=rngs)
        self.conv3 = Conv(12, 16, 5, 1, 2, rngs=rngs)
        self.norm3 = batch_norm(16, rngs=rngs)
        self.conv4 = Conv(16, 16, 5, 1, 2, rngs=rngs)
        self._dense(classes, rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `block1` to `block4`, the first two without ReLU."""
        relu = jax.nn.relu
        return {
            "block1": sequence(self.mixed1, self.norm1, _pool(2)),
            "block2": sequence(self.mixed2, self.norm2, _pool(2)),
            "block3": sequence(self.conv3, relu, self.norm3, _pool(2)),
            "block4": sequence(self.conv4, relu, self.norm3, _pool(4)),
        }


_BRANCHES: dict[str, str] = {"single": "conv1"} | {
    f"{part}.{i}": f"conv{i + 2}_{n}"
    for i in range(3)
    for n, part in enumerate(("reduces", "dilated"), 1)
}
_OUTER = {"norm1": "Incption1_bn", "norm2": "Incption2_bn"}


def _from_channels_first(weight: np.ndarray) -> np.ndarray:
    """Return a linear weight of flattened features [c y x] as one of [y x c]."""
    axes = weight.reshape(-1, _WIDTH, _GRID, _GRID)
    return axes.transpose(2, 3, 1, 0).reshape(-1, weight.shape[0])


def _meso4_name(layer: str) -> str:
    return layer.replace("norm", "bn")


def _inception_name(layer: str) -> str:
    """Return the published name, whose spelling is `Incption`."""
    module, _, branch = layer.partition(".")
    if branch:
        return f"Incption{module[-1]}_{_BRANCHES[branch]}"
    others = {"conv3": "conv1", "conv4": "conv2", "norm3": "bn1"}
    return _OUTER.get(layer) or others.get(layer, layer)


def _tables(shapes: Shapes, inception: bool) -> WeightTables:
    table = dict(torch_names(shapes, _inception_name if inception else _meso4_name))
    layout: Layout = _from_channels_first
    table["fc1.kernel"] = table["fc1.kernel"][0], layout
    return {"PyTorch": table}


meso4_tables = partial(_tables, inception=False)
inception_tables = partial(_tables, inception=True)
