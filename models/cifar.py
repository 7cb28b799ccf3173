"""ResNet for CIFAR-10, adapted to images of 64 pixels."""

from collections.abc import Sequence
from typing import ClassVar

import jax
from flax import nnx

from salix.models.resnet import Basic, ResidualNetwork
from salix.nn import Conv, Stage, batch_norm, sequence

WIDTHS = (16, 32, 64)


class CifarResNet(ResidualNetwork):
    """CIFAR ResNet: a convolution 3x3, three stages of n residual blocks, mean, linear layer.

    6n + 2 layers with weights. Images [b 64 64 3], of other sizes too; widths 16, 32, 64, strides
    2, 1, 2, 2: features [b 8 8 64]. The stride of the first convolution is ours, 1 in the paper:
    its images have 32 pixels, and its features the same grid of 8x8. Where a block changes grid and
    width its shortcut is a convolution 1x1 (option B of sec. 4.1; the paper's network for CIFAR
    has A, without weights). Normalisations have epsilon 1e-5. With two classes, 8 layers have
    77,522 weights.

    He, Zhang, Ren and Sun (2016), arXiv:1512.03385, sec. 4.2.
    """

    folds: ClassVar = {"conv1": "norm1"}

    def __init__(self, n: int, classes: int, *, rngs: nnx.Rngs):
        self.conv1 = Conv(3, WIDTHS[0], 3, 2, 1, rngs=rngs)
        self.norm1 = batch_norm(WIDTHS[0], rngs=rngs)
        width, blocks = WIDTHS[0], []
        for outputs, first in zip(WIDTHS, (1, 2, 2), strict=True):
            for strides in (first, *[1] * (n - 1)):
                blocks.append(Basic(width, outputs, strides, rngs=rngs))
                width = outputs
        self.blocks = nnx.List(blocks)
        self.fc = nnx.Linear(width, classes, rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `stage1` to `stage3`, the first with the convolution before it."""
        n = len(self.blocks) // len(WIDTHS)
        return {
            "stage1": sequence(self.conv1, self.norm1, jax.nn.relu, *self.blocks[:n]),
            "stage2": sequence(*self.blocks[n : 2 * n]),
            "stage3": sequence(*self.blocks[2 * n :]),
        }

    def last_stage(self) -> Sequence[Basic]:
        """Return the blocks of stage3."""
        return tuple(self.blocks[-(len(self.blocks) // len(WIDTHS)) :])


def cifar_resnet8(rngs: nnx.Rngs, classes: int = 2) -> CifarResNet:
    """Return the network of 8 layers: one block a stage."""
    return CifarResNet(1, classes, rngs=rngs)
