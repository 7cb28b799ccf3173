"""DenseNet-121: each layer reads the outputs of all layers before it in its block."""

import re
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.models.checkpoints.naming import Shapes, WeightTables, torch_names
from salix.nn import Conv, Stage, StagedNetwork, avg_pool, batch_norm, max_pool, relu, sequence
from salix.typing import AnyArray

GROWTH, BOTTLENECK, DEPTHS = 32, 128, (6, 12, 24, 16)
_POOL = partial(max_pool, size=3, strides=2, padding=1)


class DenseLayer(nnx.Module):
    """Normalisation, ReLU, convolution, 1x1 to 128 channels and 3x3 to 32, joined to the input.

    The first normalisation reads the outputs of many convolutions, and is not folded.
    """

    folds: ClassVar = {"conv1": "norm2"}

    def __init__(self, inputs: int, *, rngs: nnx.Rngs):
        self.norm1 = batch_norm(inputs, rngs=rngs)
        self.conv1 = Conv(inputs, BOTTLENECK, 1, rngs=rngs)
        self.norm2 = batch_norm(BOTTLENECK, rngs=rngs)
        self.conv2 = Conv(BOTTLENECK, GROWTH, 3, 1, 1, rngs=rngs)

    def __call__(self, x: AnyArray) -> Array:
        """Return the channels of x and 32 more."""
        h = self.conv1(relu(self.norm1(x), convolved=True))
        h = self.conv2(relu(self.norm2(h), convolved=True))
        return jnp.concatenate([jnp.asarray(x), h], axis=-1)


class Transition(nnx.Module):
    """Normalisation, ReLU, a convolution 1x1 to half the channels, and the mean of 2x2 pixels."""

    def __init__(self, inputs: int, *, rngs: nnx.Rngs):
        self.norm = batch_norm(inputs, rngs=rngs)
        self.conv = Conv(inputs, inputs // 2, 1, rngs=rngs)

    def __call__(self, x: AnyArray) -> Array:
        """Return features of half the size."""
        return avg_pool(self.conv(relu(self.norm(x), convolved=True)), 2, 2)


class DenseNet(StagedNetwork):
    """DenseNet-121: a convolution 7x7 and a pool, four dense blocks, the mean, a linear layer.

    Blocks of 6, 12, 24 and 16 layers. Images [b 224 224 3] or of another size, standardised by
    ImageNet's mean and deviation; grids of 56, 28, 14 and 7; features [b 7 7 1024], on which
    Grad-CAM works, after the last ReLU. Normalisations have epsilon 1e-5. 7,978,856 weights with
    1000 classes.

    Huang, Liu, van der Maaten and Weinberger (2017), arXiv:1608.06993, table 1; torchvision 0.28.
    """

    folds: ClassVar = {"conv0": "norm0"}
    inplace_relu: ClassVar = True  # torchvision: F.relu(features, inplace=True)

    def __init__(self, rngs: nnx.Rngs, classes: int = 1000):
        self.conv0 = Conv(3, 64, 7, 2, 3, rngs=rngs)
        self.norm0 = batch_norm(64, rngs=rngs)
        width, blocks, transitions = 64, [], []
        for index, depth in enumerate(DEPTHS):
            if index:
                transitions.append(Transition(width, rngs=rngs))
                width //= 2
            sizes = range(width, width + depth * GROWTH, GROWTH)
            blocks.append(nnx.List([DenseLayer(size, rngs=rngs) for size in sizes]))
            width += depth * GROWTH
        self.blocks, self.transitions = nnx.List(blocks), nnx.List(transitions)
        self.norm5 = batch_norm(width, rngs=rngs)
        self.classifier = nnx.Linear(width, classes, rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `block1` to `block4`: dense blocks, each with the layers before it.

        block4 ends after the last normalisation and ReLU.
        """
        stem = sequence(self.conv0, self.norm0, jax.nn.relu, _POOL)
        stages = {
            f"block{i}": sequence(before, *block)
            for i, (before, block) in enumerate(
                zip((stem, *self.transitions), self.blocks, strict=True), 1
            )
        }
        return stages | {"block4": sequence(stages["block4"], self.norm5, jax.nn.relu)}

    def classify(self, features: Float[AnyArray, "b y x 1024"]) -> Float[Array, "b classes"]:
        """Return the logits of block4's features."""
        return self.classifier(jnp.mean(jnp.asarray(features), axis=(1, 2)))

    def tap(
        self, x: Float[AnyArray, "b h w 3"]
    ) -> tuple[Float[Array, "b y x 1024"], Float[Array, "b y x 1024"]]:
        """Return the features, and the same before their ReLU: CYBORG trains its CAM."""
        last_block = sequence(self.transitions[-1], *self.blocks[-1])
        before = self.norm5(last_block(self.trunk(x, "block3")))
        return jax.nn.relu(before), before


def torch_tables(shapes: Shapes) -> WeightTables:
    """Return the names in a state dict of torchvision or timm.

    The file that torchvision publishes has dots that its own module lacks: `norm.1`, `conv.2`.
    """

    def renamed(name: str, dot: str) -> str:
        if name == "classifier":
            return name
        name = re.sub(
            r"blocks\.(\d+)\.(\d+)\.(\w+)(\d)",
            lambda m: f"denseblock{int(m[1]) + 1}.denselayer{int(m[2]) + 1}.{m[3]}{dot}{m[4]}",
            name,
        )
        name = re.sub(r"transitions\.(\d)", lambda m: f"transition{int(m[1]) + 1}", name)
        return f"features.{name}"

    return {
        "torchvision, timm": torch_names(shapes, partial(renamed, dot="")),
        "torchvision's file": torch_names(shapes, partial(renamed, dot=".")),
    }
