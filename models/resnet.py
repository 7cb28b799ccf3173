"""ResNet-18, 34 and 50, residual networks of photographs."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.nn import Conv, Stage, StagedNetwork, batch_norm, max_pool, relu, sequence
from salix.typing import AnyArray


class Basic(nnx.Module):
    """Residual block of two convolutions 3x3, the first with the stride."""

    expansion: ClassVar = 1
    folds: ClassVar = {"conv1": "norm1", "conv2": "norm2"}

    def __init__(self, inputs: int, width: int, strides: int, *, rngs: nnx.Rngs):
        self.conv1 = Conv(inputs, width, 3, strides, 1, rngs=rngs)
        self.norm1 = batch_norm(width, rngs=rngs)
        self.conv2 = Conv(width, width, 3, 1, 1, rngs=rngs)
        self.norm2 = batch_norm(width, rngs=rngs)
        self.shortcut = nnx.data(_shortcut(inputs, width, strides, rngs))

    def last(self, x: AnyArray) -> Array:
        """Return the output of the last convolution, before its normalisation."""
        return self.conv2(relu(self.norm1(self.conv1(x)), convolved=True))

    def finish(self, last: AnyArray, x: AnyArray) -> Array:
        """Return the block's output, given that of its last convolution and its input x."""
        shortcut = jnp.asarray(x) if self.shortcut is None else self.shortcut(x)
        return relu(self.norm2(last) + shortcut)

    def __call__(self, x: AnyArray) -> Array:
        """Return the block's output."""
        return self.finish(self.last(x), x)


class Bottleneck(nnx.Module):
    """Residual block of convolutions 1x1, 3x3 (with the stride) and 1x1 to 4 times the width."""

    expansion: ClassVar = 4
    folds: ClassVar = {"conv1": "norm1", "conv2": "norm2", "conv3": "norm3"}

    def __init__(self, inputs: int, width: int, strides: int, *, rngs: nnx.Rngs):
        outputs = width * self.expansion
        self.conv1 = Conv(inputs, width, 1, rngs=rngs)
        self.norm1 = batch_norm(width, rngs=rngs)
        self.conv2 = Conv(width, width, 3, strides, 1, rngs=rngs)
        self.norm2 = batch_norm(width, rngs=rngs)
        self.conv3 = Conv(width, outputs, 1, rngs=rngs)
        self.norm3 = batch_norm(outputs, rngs=rngs)
        self.shortcut = nnx.data(_shortcut(inputs, outputs, strides, rngs))

    def last(self, x: AnyArray) -> Array:
        """Return the output of the last convolution, before its normalisation."""
        h = relu(self.norm1(self.conv1(x)), convolved=True)
        return self.conv3(relu(self.norm2(self.conv2(h)), convolved=True))

    def finish(self, last: AnyArray, x: AnyArray) -> Array:
        """Return the block's output, given that of its last convolution and its input x."""
        shortcut = jnp.asarray(x) if self.shortcut is None else self.shortcut(x)
        return relu(self.norm3(last) + shortcut)

    def __call__(self, x: AnyArray) -> Array:
        """Return the block's output."""
        return self.finish(self.last(x), x)


class Shortcut(nnx.Module):
    """Projection 1x1 around a block that changes the grid or the number of channels."""

    folds: ClassVar = {"conv": "norm"}

    def __init__(self, inputs: int, outputs: int, strides: int, *, rngs: nnx.Rngs):
        self.conv = Conv(inputs, outputs, 1, strides, rngs=rngs)
        self.norm = batch_norm(outputs, rngs=rngs)

    def __call__(self, x: AnyArray) -> Array:
        """Return the projection that is added to the block's output."""
        return self.norm(self.conv(x))


def _shortcut(inputs: int, outputs: int, strides: int, rngs: nnx.Rngs) -> Shortcut | None:
    if strides == 1 and inputs == outputs:
        return None
    return Shortcut(inputs, outputs, strides, rngs=rngs)


class ResidualNetwork(StagedNetwork):
    """Stages of residual blocks, the mean and the linear layer `fc`."""

    fc: nnx.Linear

    def last_stage(self) -> Sequence[Basic | Bottleneck]:
        """Return the blocks of the last stage."""
        raise NotImplementedError

    def classify(self, features: Float[AnyArray, "b y x c"]) -> Float[Array, "b classes"]:
        """Return the logits of the last stage's features."""
        return self.fc(jnp.mean(jnp.asarray(features), axis=(1, 2)))

    def tap(
        self, x: Float[AnyArray, "b h w 3"]
    ) -> tuple[Float[Array, "b y x c"], Float[Array, "b y x c"]]:
        """Return the features, and the output of the last convolution: CYBORG trains its CAM.

        It precedes the normalisation, the shortcut and the ReLU that end the trunk, and is lost in
        a folded network, whose last convolution contains its normalisation.
        """
        *blocks, end = self.last_stage()
        h = sequence(*blocks)(self.trunk(x, self.cuts[-2]))
        last = end.last(h)
        return end.finish(last, h), last


class ResNet(ResidualNetwork):
    """ResNet: a convolution 7x7 and a pool, four stages of residual blocks, mean, linear layer.

    Images [b 224 224 3] or of another size, standardised by ImageNet's mean and deviation; widths
    64, 128, 256, 512 (times 4 after a bottleneck), strides 4, 1, 2, 2, 2: features [b 7 7 c] of
    layer4, the last grid, on which Grad-CAM works. The stride of a bottleneck is that of its 3x3
    convolution, as in PyTorch. Normalisations have epsilon 1e-5. With 1000 classes, ResNet-18 has
    11,689,512 weights and ResNet-50 25,557,032. `stem` is the stride of both the first convolution
    and the pool: 1 for detectors that keep the full resolution, whose grid is four times as fine.

    He, Zhang, Ren and Sun (2016), arXiv:1512.03385, sec. 3.3 and table 1; torchvision 0.28.
    Stride 1: Gragnaniello et al. (2021), arXiv:2104.02617, sec. 4.
    """

    folds: ClassVar = {"conv1": "norm1"}

    def __init__(
        self,
        block: type[Basic] | type[Bottleneck],
        depths: tuple[int, int, int, int],
        classes: int,
        *,
        stem: int = 2,
        rngs: nnx.Rngs,
    ):
        self.conv1 = Conv(3, 64, 7, stem, 3, rngs=rngs)
        self.norm1 = batch_norm(64, rngs=rngs)
        width = 64
        stages: list[nnx.List] = []
        for depth, outputs, first in zip(depths, (64, 128, 256, 512), (1, 2, 2, 2), strict=True):
            blocks = []
            for strides in (first, *[1] * (depth - 1)):
                blocks.append(block(width, outputs, strides, rngs=rngs))
                width = outputs * block.expansion
            stages.append(nnx.List(blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nnx.Linear(width, classes, rngs=rngs)
        self.stem = stem

    def named_stages(self) -> dict[str, Stage]:
        """Return `layer1` to `layer4`, the first with the convolution and pool before it."""
        pool = partial(max_pool, size=3, strides=self.stem, padding=1)
        return {
            "layer1": sequence(self.conv1, self.norm1, jax.nn.relu, pool, *self.layer1),
            "layer2": sequence(*self.layer2),
            "layer3": sequence(*self.layer3),
            "layer4": sequence(*self.layer4),
        }

    def last_stage(self) -> Sequence[Basic | Bottleneck]:
        """Return the blocks of layer4."""
        return tuple(self.layer4)


def resnet18(rngs: nnx.Rngs, classes: int = 1000) -> ResNet:
    """Return ResNet-18: two basic blocks a stage."""
    return ResNet(Basic, (2, 2, 2, 2), classes, rngs=rngs)


def resnet34(rngs: nnx.Rngs, classes: int = 1000) -> ResNet:
    """Return ResNet-34: 3, 4, 6 and 3 basic blocks."""
    return ResNet(Basic, (3, 4, 6, 3), classes, rngs=rngs)


def resnet50(rngs: nnx.Rngs, classes: int = 1000) -> ResNet:
    """Return ResNet-50: 3, 4, 6 and 3 bottlenecks."""
    return ResNet(Bottleneck, (3, 4, 6, 3), classes, rngs=rngs)


def resnet50_nodown(rngs: nnx.Rngs, classes: int = 1) -> ResNet:
    """Return ResNet-50 with strides 1 in its first convolution and its pool."""
    return ResNet(Bottleneck, (3, 4, 6, 3), classes, stem=1, rngs=rngs)
