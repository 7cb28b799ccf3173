"""EfficientNet: networks for photographs whose width, depth and image size scale together."""

import math
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.nn import Conv, Stage, StagedNetwork, batch_norm, sequence
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


def _scale_width(width: int, factor: float) -> int:
    """Return width times factor, rounded to a multiple of 8 and at most 10 % below it."""
    near = max(8, int(width * factor + 4) // 8 * 8)
    return near if near >= 0.9 * width * factor else near + 8


def _stages(width: float, depth: float) -> Iterator[list[tuple[int, int, int, int, int]]]:
    """Yield the blocks of each stage: expansion, kernel, stride, inputs and outputs."""
    inputs = _scale_width(32, width)
    for expansion, size, first, base, count in _STAGES:
        outputs, blocks = _scale_width(base, width), []
        for strides in (first, *[1] * (math.ceil(count * depth) - 1)):
            blocks.append((expansion, size, strides, inputs, outputs))
            inputs = outputs
        yield blocks


def _same(side: int, size: int, strides: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return TensorFlow's padding of a kernel for grids of one side, a number of pixels."""
    total = max((math.ceil(side / strides) - 1) * strides + size - side, 0)
    margins = (total // 2, total - total // 2)
    return margins, margins


class ConvNorm(nnx.Module):
    """Convolution and normalisation; `tf` pads as TensorFlow, with epsilon 1e-3 for 1e-5.

    `side` fixes TensorFlow's padding to that of grids with this side.
    """

    folds: ClassVar = {"conv": "norm"}

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        strides: int = 1,
        *,
        groups: int = 1,
        tf: bool,
        side: int | None = None,
        rngs: nnx.Rngs,
    ):
        # at stride 2 of an even grid "SAME" pads one row less above and left than below and right
        padding = "SAME" if tf else size // 2
        if side is not None:
            padding = _same(side, size, strides)
        self.conv = Conv(inputs, outputs, size, strides, padding, groups=groups, rngs=rngs)
        self.norm = batch_norm(outputs, epsilon=1e-3 if tf else 1e-5, rngs=rngs)

    def __call__(self, x: AnyArray) -> Array:
        """Return the normalised convolution of x."""
        return self.norm(self.conv(x))


class Squeeze(nnx.Module):
    r"""Squeeze and excitation: channels times $\sigma(W_2 swish(W_1 \bar x + b_1) + b_2)$.

    Hu, Shen and Sun (2018), arXiv:1709.01507, sec. 3.
    """

    def __init__(self, channels: int, squeezed: int, *, rngs: nnx.Rngs):
        self.reduce = Conv(channels, squeezed, 1, bias=True, rngs=rngs)
        self.expand = Conv(squeezed, channels, 1, bias=True, rngs=rngs)

    def __call__(self, x: Float[AnyArray, "b y x c"]) -> Float[Array, "b y x c"]:
        """Return the reweighted channels of x."""
        mean = jnp.mean(jnp.asarray(x), axis=(1, 2), keepdims=True)
        return jnp.asarray(x) * jax.nn.sigmoid(self.expand(jax.nn.silu(self.reduce(mean))))


class InvertedBottleneck(nnx.Module):
    """Inverted bottleneck: expansion 1x1, depthwise convolution, squeeze, projection 1x1.

    The input is added where shapes agree. The squeeze is to a quarter of the block's inputs. An
    expansion of 1 has no first convolution, `lite` no squeeze. Sandler et al. (2018),
    arXiv:1801.04381.
    """

    def __init__(
        self,
        shape: tuple[int, int, int, int, int],
        *,
        lite: bool,
        tf: bool,
        side: int | None = None,
        rngs: nnx.Rngs,
    ):
        expansion, size, strides, inputs, outputs = shape
        middle = inputs * expansion
        self.activate: Callable[..., Any] = jax.nn.relu6 if lite else jax.nn.silu
        wider = ConvNorm(inputs, middle, 1, tf=tf, rngs=rngs) if expansion > 1 else None
        self.expand = nnx.data(wider)
        self.depthwise = ConvNorm(
            middle, middle, size, strides, groups=middle, tf=tf, side=side, rngs=rngs
        )
        self.squeeze = nnx.data(None if lite else Squeeze(middle, inputs // 4, rngs=rngs))
        self.project = ConvNorm(middle, outputs, 1, tf=tf, rngs=rngs)
        self.added = strides == 1 and inputs == outputs

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b y x k"]:
        """Return the block's output."""
        h = x if self.expand is None else self.activate(self.expand(x))
        h = self.activate(self.depthwise(h))
        h = self.project(h if self.squeeze is None else self.squeeze(h))
        return h + x if self.added else h


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
        self.activate: Callable[..., Any] = jax.nn.relu6 if lite else jax.nn.silu
        width, depth = scale
        stages = list(_stages(width, depth))
        last, features = stages[-1][-1][-1], _scale_width(1280, width)
        self.stem = ConvNorm(3, stages[0][0][3], 3, 2, tf=tf, side=side, rngs=rngs)
        if not pad_stem:
            self.stem.conv.padding = ((0, 0), (0, 0))
        grid, blocks = side and math.ceil(side / 2), []
        for stage in stages:
            blocks.append(nnx.List())
            for shape in stage:
                block = InvertedBottleneck(shape, lite=lite, tf=tf, side=grid, rngs=rngs)
                blocks[-1].append(block)
                grid = grid and math.ceil(grid / shape[2])
        self.stages = nnx.List(blocks)
        self.last = ConvNorm(last, features, 1, tf=tf, rngs=rngs)
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
