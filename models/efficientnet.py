"""EfficientNet: networks for photographs whose width, depth and image size scale together."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.models.bottleneck import (
    Activation,
    ConvNorm,
    InvertedBottleneck,
    Squeeze,
    scale_width,
)
from salix.nn import Stage, StagedNetwork, sequence
from salix.typing import AnyArray

# expansion, kernel, stride, width and depth of each stage of B0
_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


def _stages(width: float, depth: float) -> Iterator[list[tuple[int, int, int, int, int]]]:
    """Yield the blocks of each stage: expansion, kernel, stride, inputs and outputs."""
    inputs = scale_width(32, width)
    for expansion, size, first, base, count in _STAGES:
        outputs, blocks = scale_width(base, width), []
        for strides in (first, *[1] * (math.ceil(count * depth) - 1)):
            blocks.append((expansion, size, strides, inputs, outputs))
            inputs = outputs
        yield blocks


class EfficientNet(StagedNetwork):
    """EfficientNet: a convolution 3x3, seven stages of inverted bottlenecks, one 1x1, a classifier.

    RGB standardised by ImageNet's mean and deviation, [b 224 224 3] for B0 and [b 380 380 3] for
    B4, or of other sizes; features [b h/32 w/32 k] after the last swish, k 1280 and 1792: the grid
    of Grad-CAM and CAM, 7x7 and 12x12. With 1000 classes 5,288,548 and 19,341,616 weights.

    Families of weights differ in arithmetic: PyTorch's own pad both sides alike and normalise
    with epsilon 1e-5, those that were trained in TensorFlow (`tf`) pad as its "SAME" and normalise
    with 1e-3. efficientnet_pytorch does so too, but pads images of any size as those of `side`
    pixels, 224 for B0 and 380 for B4: the same for sides whose grids are odd and even alike.
    The first convolution of DeepfakeBench's B4 is not padded (`pad_stem`). `lite` (Lite0: 224x224,
    (x - 127) / 128, k 1280, 4,652,008 weights; `tf`) has no squeezes, and ReLU6 for swish.
    Training's dropout and stochastic depth are left out.

    Tan and Le (2019), arXiv:1905.11946, table 1 and sec. 4; torchvision 0.28, timm 1.0.
    """

    def __init__(
        self,
        scale: tuple[float, float],  # of width and of depth
        classes: int = 1000,
        *,
        lite: bool = False,
        tf: bool = False,
        side: int | None = None,
        pad_stem: bool = True,
        rngs: nnx.Rngs,
    ):
        self.activate: Activation = jax.nn.relu6 if lite else jax.nn.silu
        width, depth = scale
        stages = list(_stages(width, depth))
        last, features = stages[-1][-1][-1], scale_width(1280, width)
        norm = partial(ConvNorm, tf=tf, rngs=rngs)
        self.stem = norm(3, stages[0][0][3], 3, 2, side=side)
        if not pad_stem:
            self.stem.conv.padding = ((0, 0), (0, 0))
        grid, blocks = side and math.ceil(side / 2), []
        for stage in stages:
            blocks.append(nnx.List())
            for expansion, size, strides, inputs, outputs in stage:
                block = InvertedBottleneck(
                    (expansion * inputs, size, strides, inputs, outputs),
                    activate=self.activate,
                    norm=norm,
                    squeeze=None if lite else partial(Squeeze, squeezed=inputs // 4, rngs=rngs),
                    side=grid,
                )
                blocks[-1].append(block)
                grid = grid and math.ceil(grid / strides)
        self.stages = nnx.List(blocks)
        self.last = norm(last, features, 1)
        self.fc = nnx.Linear(features, classes, rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `stage1` to `stage7`, the first with the stem, and `last_conv`."""
        stages = [sequence(*stage) for stage in self.stages]
        stages[0] = sequence(self.stem, self.activate, stages[0])
        named = {f"stage{i}": stage for i, stage in enumerate(stages, 1)}
        return named | {"last_conv": sequence(self.last, self.activate)}

    def classify(self, features: Float[AnyArray, "b y x k"]) -> Float[Array, "b classes"]:
        """Return the logits of the last convolution's features."""
        return self.fc(jnp.mean(jnp.asarray(features), axis=(1, 2)))


def efficientnet_b0(rngs: nnx.Rngs, classes: int = 1000, **arithmetic: Any) -> EfficientNet:
    """Return EfficientNet-B0: 16 blocks."""
    return EfficientNet((1.0, 1.0), classes, rngs=rngs, **arithmetic)


def efficientnet_b4(rngs: nnx.Rngs, classes: int = 1000, **arithmetic: Any) -> EfficientNet:
    """Return EfficientNet-B4: 32 blocks, 1.4 times as wide."""
    return EfficientNet((1.4, 1.8), classes, rngs=rngs, **arithmetic)


def efficientnet_lite0(rngs: nnx.Rngs, classes: int = 1000, *, tf: bool = True) -> EfficientNet:
    """Return EfficientNet-Lite0: B0 without squeezes, with ReLU6."""
    return EfficientNet((1.0, 1.0), classes, lite=True, tf=tf, rngs=rngs)
