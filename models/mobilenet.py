"""MobileNetV2, a light network for photographs."""

from collections.abc import Sequence
from functools import partial
from itertools import islice, pairwise

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.models.bottleneck import ConvNorm, InvertedBottleneck
from salix.nn import Stage, StagedNetwork, sequence
from salix.typing import AnyArray

# expansion, width, depth and stride of each stage
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class Perceptron(nnx.Module):
    """Linear layers, ReLU between them; the dropout of their training is left out."""

    def __init__(self, widths: Sequence[int], *, rngs: nnx.Rngs):
        self.layers = nnx.List([nnx.Linear(i, o, rngs=rngs) for i, o in pairwise(widths)])

    def __call__(self, x: Float[AnyArray, "b i"]) -> Float[Array, "b o"]:
        """Return the output of the last layer."""
        h = self.layers[0](jnp.asarray(x))
        for layer in self.layers[1:]:
            h = layer(jax.nn.relu(h))
        return h


class MobileNetV2(StagedNetwork):
    """MobileNetV2: a convolution 3x3, 17 inverted bottlenecks, one 1x1, mean, linear layers.

    Images [b h w 3], RGB as its weights expect it; features [b h/32 w/32 1280], after the last
    ReLU6, on which Grad-CAM works: 7x7 of 224x224. Padding and normalisation (epsilon 1e-3) are
    those of TensorFlow. `hidden` are the widths of dense layers before the last. With 1000 classes
    and none hidden 3,504,872 weights.

    Sandler, Howard, Zhu, Zhmoginov and Chen (2018), arXiv:1801.04381, table 2; names of Keras.
    """

    def __init__(self, rngs: nnx.Rngs, classes: int = 1000, *, hidden: tuple[int, ...] = ()):
        norm = partial(ConvNorm, tf=True, rngs=rngs)
        self.stem = norm(3, 32, 3, 2)
        blocks, inputs = [], 32
        for expansion, outputs, depth, first in _STAGES:
            for strides in (first, *[1] * (depth - 1)):
                shape = (expansion * inputs, 3, strides, inputs, outputs)
                blocks.append(InvertedBottleneck(shape, activate=jax.nn.relu6, norm=norm))
                inputs = outputs
        self.blocks = nnx.List(blocks)
        self.last = norm(inputs, 1280, 1)
        self.fc = Perceptron((1280, *hidden, classes), rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `stage1` to `stage7`, the first with the stem, and `last_conv`."""
        stages: dict[str, Stage] = {}
        blocks = iter(self.blocks)
        first: tuple[Stage, ...] = (self.stem, jax.nn.relu6)
        for i, (_, _, depth, _) in enumerate(_STAGES, 1):
            stages[f"stage{i}"] = sequence(*first, *islice(blocks, depth))
            first = ()
        return stages | {"last_conv": sequence(self.last, jax.nn.relu6)}

    def classify(self, features: Float[AnyArray, "b y x 1280"]) -> Float[Array, "b classes"]:
        """Return the logits of the last convolution's features."""
        return self.fc(jnp.mean(jnp.asarray(features), axis=(1, 2)))
