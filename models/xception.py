"""Xception, as used by detectors of forged faces."""

from itertools import pairwise
from typing import ClassVar

import jax
import numpy as np
from flax import nnx
from jax import numpy as jnp
from jaxtyping import Array, Float

from salix.models.checkpoints.naming import Shapes, WeightTables, conv, dense, same, torch_names
from salix.models.resnet import Shortcut
from salix.nn import Conv, Stage, StagedNetwork, batch_norm, max_pool, sequence
from salix.typing import AnyArray

# widths of the separable convolutions of each block, from its input on, and its stride
_BLOCKS = (
    ((64, 128, 128), 2),
    ((128, 256, 256), 2),
    ((256, 728, 728), 2),
    *[((728, 728, 728, 728), 1)] * 8,
    ((728, 728, 1024), 2),
)


class Separable(nnx.Module):
    """Depthwise convolution 3x3, pointwise convolution 1x1 and normalisation."""

    folds: ClassVar = {"pointwise": "norm"}

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs):
        self.depthwise = Conv(inputs, inputs, 3, groups=inputs, rngs=rngs)
        self.pointwise = Conv(inputs, outputs, 1, rngs=rngs)
        self.norm = batch_norm(outputs, rngs=rngs)

    def last(self, x: AnyArray) -> Array:
        """Return the output of both convolutions, before their normalisation."""
        return self.pointwise(self.depthwise(x))

    def __call__(self, x: AnyArray) -> Array:
        """Return the normalised features."""
        return self.norm(self.last(x))


class SeparableBlock(nnx.Module):
    """ReLU and separable convolution, two or three times; then the input is added.

    With stride 2 the result is pooled (maximum, 3x3) and the input goes through a 1x1 convolution.
    The input is added unrectified. The published block1 begins without ReLU: its
    input is rectified already, so that another changes nothing.
    """

    def __init__(self, widths: tuple[int, ...], strides: int, *, rngs: nnx.Rngs):
        self.convs = nnx.List([Separable(i, o, rngs=rngs) for i, o in pairwise(widths)])
        self.strides = strides
        skip = Shortcut(widths[0], widths[-1], strides, rngs=rngs) if strides > 1 else None
        self.skip = nnx.data(skip)

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b y x k"]:
        """Return the features, not rectified."""
        h = jnp.asarray(x)
        for convolution in self.convs:
            h = convolution(jax.nn.relu(h))
        if self.skip is None:
            return h + x
        return max_pool(h, 3, self.strides, padding=1) + self.skip(x)


class Xception(StagedNetwork):
    """Xception: twelve residual blocks of separable convolutions, the mean and a linear layer.

    Images of 299x299, (x - 0.5) / 0.5 of RGB in [0, 1]; features [b 10 10 2048], after the last
    ReLU. Batch normalisation with epsilon 1e-5. 20,806,952 weights and 2,049 a class, 22,855,952
    for ImageNet.

    Chollet (2017), arXiv:1610.02357, sec. 3 and fig. 5; in the form of Cadene's pretrained models
    and of timm (`legacy_xception`), whose pooling pads both sides alike.
    """

    folds: ClassVar = {"conv1": "norm1", "conv2": "norm2"}

    def __init__(self, rngs: nnx.Rngs, classes: int = 1000):
        self.conv1 = Conv(3, 32, 3, 2, 0, rngs=rngs)
        self.norm1 = batch_norm(32, rngs=rngs)
        self.conv2 = Conv(32, 64, 3, 1, 0, rngs=rngs)
        self.norm2 = batch_norm(64, rngs=rngs)
        self.blocks = nnx.List([SeparableBlock(*block, rngs=rngs) for block in _BLOCKS])
        self.conv3 = Separable(1024, 1536, rngs=rngs)
        self.conv4 = Separable(1536, 2048, rngs=rngs)
        self.fc = nnx.Linear(2048, classes, rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `block1` to `block12`, the first with the convolutions before it, and `conv4`."""
        relu = jax.nn.relu
        stem = sequence(self.conv1, self.norm1, relu, self.conv2, self.norm2, relu)
        stages = dict(enumerate(self.blocks, 1)) | {1: sequence(stem, self.blocks[0])}
        named = {f"block{i}": stage for i, stage in stages.items()}
        return named | {"conv4": sequence(self.conv3, relu, self.conv4, relu)}

    def classify(self, features: Float[AnyArray, "b y x 2048"]) -> Float[Array, "b classes"]:
        """Return the logits of conv4's rectified features."""
        return self.fc(jnp.asarray(features).mean(axis=(1, 2)))

    def tap(
        self, x: Float[AnyArray, "b h w 3"]
    ) -> tuple[Float[Array, "b y x 2048"], Float[Array, "b y x 2048"]]:
        """Return the features, and the output of conv4: CYBORG trains its CAM.

        It precedes the normalisation and the ReLU that end the trunk, and is lost in a folded
        network, whose last convolution contains its normalisation.
        """
        last = self.conv4.last(jax.nn.relu(self.conv3(self.trunk(x, "block12"))))
        return jax.nn.relu(self.conv4.norm(last)), last


def _matrix(array: np.ndarray) -> np.ndarray:
    """Turn a 1x1 convolution OI or OI11 into 11IO; the first published files have matrices."""
    return conv(array.reshape(*array.shape, 1, 1) if array.ndim == 2 else array)


def _published_name(ours: str) -> str:
    """Return the published name of a layer."""
    match ours.replace("depthwise", "conv1").split("."):
        case ["blocks", block, "convs", index, part]:
            # `rep` counts the ReLUs; block1 lacks the first
            rep = 3 * int(index) + (block != "0")
            layer = f"block{int(block) + 1}.rep."
            return f"{layer}{rep + 1}" if part == "norm" else f"{layer}{rep}.{part}"
        case ["blocks", block, "skip", part]:
            return f"block{int(block) + 1}.{'skipbn' if part == 'norm' else 'skip'}"
        case [layer, "norm"]:
            return layer.replace("conv", "bn")
        case _:
            return ours.replace("depthwise", "conv1").replace("norm", "bn")


def torch_tables(shapes: Shapes) -> WeightTables:
    """Return the names of timm's legacy_xception, of Cadene's, and of detectors derived from it."""
    table = dict(torch_names(shapes, _published_name))
    for ours, (theirs, _) in table.items():
        if ours.endswith("pointwise.kernel"):
            table[ours] = theirs, _matrix
    heads = {"timm": "fc", "Cadene": "last_linear", "FaceForensics": "last_linear.1"}
    return {
        origin: table | {"fc.kernel": (f"{fc}.weight", dense), "fc.bias": (f"{fc}.bias", same)}
        for origin, fc in heads.items()
    }
