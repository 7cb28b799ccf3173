"""Compact CRNN: depthwise separable convolutions, a bidirectional GRU and CTC."""

import jax
from flax import nnx
from jaxtyping import Array, Float

from salix.models.checkpoints.naming import WeightTable, conv, dense, same
from salix.models.checkpoints.naming import batch_norm as norm_names
from salix.models.recurrent import BiGRU, recurrent_names
from salix.nn import Conv, batch_norm
from salix.typing import AnyArray

_BLOCKS = (
    (24, 48, (2, 2)),
    (48, 64, (1, 1)),
    (64, 96, (2, 1)),
    (96, 128, (1, 1)),
    (128, 160, (2, 1)),
    (160, 192, (2, 1)),
)


class DepthwiseSeparable(nnx.Module):
    """Depthwise convolution 3x3 and pointwise convolution, each with normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int, strides: tuple[int, int], *, rngs: nnx.Rngs):
        self.depthwise = Conv(inputs, inputs, 3, strides, 1, groups=inputs, rngs=rngs)
        self.norm1 = batch_norm(inputs, rngs=rngs)
        self.pointwise = Conv(inputs, outputs, 1, rngs=rngs)
        self.norm2 = batch_norm(outputs, rngs=rngs)

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b y x o"]:
        """Return the features of the block."""
        x = jax.nn.relu(self.norm1(self.depthwise(x)))
        return jax.nn.relu(self.norm2(self.pointwise(x)))


class CompactCRNN(nnx.Module):
    """Compact CRNN: a stem, six depthwise separable blocks, a bidirectional GRU of 128.

    Grey images [b 32 w 1] in [-1, 1] of any width; features [b 1 w/4 192], one column a frame;
    logits [b w/4 classes], the first class is the blank of CTC. 362,330 values for 122 classes.

    Layers and weights: legere 0.11.0 (MIT).
    """

    def __init__(self, classes: int, rngs: nnx.Rngs):
        self.stem = Conv(1, 24, 3, 2, 1, rngs=rngs)
        self.norm = batch_norm(24, rngs=rngs)
        self.blocks = nnx.List([DepthwiseSeparable(i, o, s, rngs=rngs) for i, o, s in _BLOCKS])
        self.rnn = BiGRU(192, 128, rngs=rngs)
        self.head = nnx.Linear(256, classes, rngs=rngs)

    def features(self, x: Float[AnyArray, "b 32 w 1"]) -> Float[Array, "b 1 t 192"]:
        """Return the features of the convolutions."""
        h = jax.nn.relu(self.norm(self.stem(x)))
        for block in self.blocks:
            h = block(h)
        return h

    def classify(self, features: Float[AnyArray, "b 1 t 192"]) -> Float[Array, "b t classes"]:
        """Return the logits of each frame."""
        return self.head(self.rnn(features[:, 0]))

    def __call__(self, x: Float[AnyArray, "b 32 w 1"]) -> Float[Array, "b t classes"]:
        """Return the logits of each frame of images."""
        return self.classify(self.features(x))


def _block_names(i: int) -> WeightTable:
    ours, theirs = f"blocks.{i}", f"model.blocks.{i}"
    return {
        f"{ours}.depthwise.kernel": (f"{theirs}.depthwise.weight", conv),
        f"{ours}.pointwise.kernel": (f"{theirs}.pointwise.weight", conv),
        **norm_names(f"{ours}.norm1", f"{theirs}.bn1"),
        **norm_names(f"{ours}.norm2", f"{theirs}.bn2"),
    }


# data/model.pt of legere 0.11.0
TORCH: WeightTable = {
    "stem.kernel": ("model.stem.0.weight", conv),
    **norm_names("norm", "model.stem.1"),
    **{k: v for i in range(len(_BLOCKS)) for k, v in _block_names(i).items()},
    **recurrent_names("rnn", "model.rnn"),
    "head.kernel": ("model.head.weight", dense),
    "head.bias": ("model.head.bias", same),
}
