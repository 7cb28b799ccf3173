"""ConvNeXt, a convolutional network in the style of transformers."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from salix.models.checkpoints.naming import Layout, Shapes, WeightTables, conv, dense, same
from salix.nn import Conv, Linear, Stage, StagedNetwork, sequence
from salix.typing import AnyArray

DEPTHS = {"tiny": (3, 3, 9, 3), "base": (3, 3, 27, 3)}
WIDTHS = {"tiny": (96, 192, 384, 768), "base": (128, 256, 512, 1024)}


def _norm(width: int, rngs: nnx.Rngs) -> nnx.LayerNorm:
    return nnx.LayerNorm(width, epsilon=1e-6, use_fast_variance=False, rngs=rngs)


class ConvNextBlock(nnx.Module):
    """Depthwise convolution 7x7, normalisation, perceptron of four times the width, scale, sum."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.depthwise = Conv(width, width, 7, 1, 3, groups=width, bias=True, rngs=rngs)
        self.norm = _norm(width, rngs)
        self.wide = Linear(width, 4 * width, rngs=rngs)
        self.narrow = Linear(4 * width, width, rngs=rngs)
        self.scale = nnx.Param(jnp.full(width, 1e-6, jnp.float32))

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b h w c"]:
        """Return the block's output."""
        h = self.wide(self.norm(self.depthwise(x)))
        h = self.narrow(jax.nn.gelu(h, approximate=False))
        return jnp.asarray(x) + h * self.scale[...].reshape(1, 1, 1, -1)


class Downsample(nnx.Module):
    """Normalisation, then a convolution 2x2 of stride 2 to another width."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs):
        self.norm = _norm(inputs, rngs)
        self.conv = Conv(inputs, outputs, 2, 2, 0, bias=True, rngs=rngs)

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b y x k"]:
        """Return the smaller grid."""
        return self.conv(self.norm(x))


class ConvNext(StagedNetwork):
    """ConvNeXt: patches 4x4, four stages of blocks, the mean, a normalisation, a linear layer.

    Images [b h w 3], standardised by ImageNet's mean and deviation; features [b h/32 w/32 c], 7x7
    of 224x224, before the mean. Normalisations have epsilon 1e-6. With 1000 classes ConvNeXt-T has
    28,589,128 weights, ConvNeXt-B 88,591,464.

    Liu et al. (2022), arXiv:2201.03545, sec. 2 and table 9.
    """

    def __init__(
        self,
        rngs: nnx.Rngs,
        classes: int = 1000,
        *,
        depths: tuple[int, ...] = DEPTHS["tiny"],
        widths: tuple[int, ...] = WIDTHS["tiny"],
    ):
        self.stem = Conv(3, widths[0], 4, 4, 0, bias=True, rngs=rngs)
        self.stem_norm = _norm(widths[0], rngs)
        self.downsamples = nnx.List([Downsample(i, o, rngs=rngs) for i, o in pairwise(widths)])
        self.stages = nnx.List(
            [
                nnx.List([ConvNextBlock(width, rngs=rngs) for _ in range(depth)])
                for depth, width in zip(depths, widths, strict=True)
            ]
        )
        self.norm = _norm(widths[-1], rngs)
        self.fc = nnx.Linear(widths[-1], classes, rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `stage1` to `stage4`, each with what changes the grid before it."""
        before = [(self.stem, self.stem_norm), *((d,) for d in self.downsamples)]
        return {
            f"stage{i}": sequence(*first, *blocks)
            for i, (first, blocks) in enumerate(zip(before, self.stages, strict=True), 1)
        }

    def classify(self, features: Float[AnyArray, "b y x c"]) -> Float[Array, "b classes"]:
        """Return the logits of the last stage's features."""
        return self.fc(self.norm(jnp.mean(jnp.asarray(features), axis=(1, 2))))


def _vector(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1)


_BLOCKS = {  # library -> a block's depthwise convolution, norm, two linear layers and scale
    "torchvision": ("block.0", "block.2", "block.3", "block.5", "layer_scale"),
    "timm": ("conv_dw", "norm", "mlp.fc1", "mlp.fc2", "gamma"),
    "Meta": ("dwconv", "norm", "pwconv1", "pwconv2", "gamma"),
    "transformers": ("dwconv", "layernorm", "pwconv1", "pwconv2", "layer_scale_parameter"),
}
_PARTS = ("depthwise", "norm", "wide", "narrow", "scale")
_OTHERS = {  # library -> block, downsampling (of the stage after it), stem, its norm, norm, head
    "torchvision": (
        "features.{odd}.{block}",
        "features.{even}.{part}",
        "features.0.0",
        "features.0.1",
        "classifier.0",
        "classifier.2",
    ),
    "timm": (
        "stages.{stage}.blocks.{block}",
        "stages.{next}.downsample.{part}",
        "stem.0",
        "stem.1",
        "head.norm",
        "head.fc",
    ),
    "Meta": (
        "stages.{stage}.{block}",
        "downsample_layers.{next}.{part}",
        "downsample_layers.0.0",
        "downsample_layers.0.1",
        "norm",
        "head",
    ),
    "transformers": (
        "convnext.encoder.stages.{stage}.layers.{block}",
        "convnext.encoder.stages.{next}.downsampling_layer.{part}",
        "convnext.embeddings.patch_embeddings",
        "convnext.embeddings.layernorm",
        "convnext.layernorm",
        "classifier",
    ),
}


def _row(origin: str, ours: str, shape: tuple[int, ...]) -> tuple[str, Layout]:
    """Return the name in a file, and the layout there, of one of our arrays."""
    block_name, down, *outer = _OTHERS[origin]
    layer, _, part = ours.rpartition(".")
    match layer.split("."):
        case ["stages", stage, block, *rest]:
            i = int(stage)
            name = block_name.format(stage=i, odd=2 * i + 1, block=block)
            theirs = f"{name}.{_BLOCKS[origin][_PARTS.index(rest[0] if rest else part)]}"
            if not rest:
                return theirs, _vector
        case ["downsamples", stage, kind]:
            i = int(stage)
            theirs = down.format(next=i + 1, even=2 * i + 2, part=int(kind == "conv"))
        case [name]:
            theirs = outer[("stem", "stem_norm", "norm", "fc").index(name)]
        case _:
            raise ValueError(ours)
    kernels: dict[int, Layout] = {4: conv, 2: dense}
    layout = kernels[len(shape)] if part == "kernel" else same
    return f"{theirs}.{'bias' if part == 'bias' else 'weight'}", layout


def torch_tables(shapes: Shapes) -> WeightTables:
    """Return the names in state dicts of torchvision, timm, Meta and transformers."""
    return {
        origin: {ours: _row(origin, ours, leaf.shape) for ours, leaf in shapes.items()}
        for origin in _BLOCKS
    }
