"""Meso4 and MesoInception-4: small detectors of forged faces by mesoscopic texture."""

from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.models.checkpoints.naming import WeightTable, same
from salix.nn import Stage, StagedNetwork, flax_conv, max_pool, relu, sequence
from salix.typing import AnyArray

_POOLS = (2, 2, 2, 4)
_DILATIONS = (1, 2, 3)


class MesoNetwork(StagedNetwork):
    """Four blocks, two of them common to both networks, and two dense layers.

    Each block is a convolution or a module of dilated branches, ReLU, batch normalisation
    (epsilon 1e-3) and maximum pooling by 2, 2, 2, 4.
    """

    layers: ClassVar[tuple[str, str]]  # of the first two blocks

    def __init__(self, inputs: int, rngs: nnx.Rngs):
        self.conv3 = flax_conv(inputs, 16, 5, rngs=rngs)
        self.norm3 = nnx.BatchNorm(16, epsilon=1e-3, rngs=rngs)
        self.conv4 = flax_conv(16, 16, 5, rngs=rngs)
        self.norm4 = nnx.BatchNorm(16, epsilon=1e-3, rngs=rngs)
        self.dense1 = nnx.Linear(1024, 16, rngs=rngs)
        self.dense2 = nnx.Linear(16, 1, rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `block1` to `block4`: convolution or module, ReLU, normalisation and pool."""
        layers = (*self.layers, "conv3", "conv4")
        return {
            # a module of dilated branches is rectified already, so that ReLU changes nothing
            f"block{i}": sequence(
                getattr(self, layer),
                relu,
                getattr(self, f"norm{i}"),
                partial(max_pool, size=size, strides=size, padding="SAME"),
            )
            for i, (layer, size) in enumerate(zip(layers, _POOLS, strict=True), 1)
        }

    def classify(self, features: Float[AnyArray, "b 8 8 16"]) -> Float[Array, "b 1"]:
        """Return z of block4's features."""
        # Keras flattens height, width, channel
        flat = jnp.asarray(features).reshape(features.shape[0], -1)
        return self.dense2(jax.nn.leaky_relu(self.dense1(flat), 0.1))


class Meso4(MesoNetwork):
    """Four convolutions 3x3, 5x5, 5x5, 5x5 of 8, 8, 16, 16 channels, then two dense layers.

    Each block is convolution, ReLU, batch normalisation, maximum pooling by 2, 2, 2, 4. The one
    output z is positive for a real face: sigmoid(z) = P(real). The dropout of its training is left
    out. 27,977 weights.

    Afchar, Nozick, Yamagishi and Echizen (2018), arXiv:1809.00888, sec. 3.1.
    """

    layers: ClassVar = ("conv1", "conv2")

    def __init__(self, rngs: nnx.Rngs):
        self.conv1 = flax_conv(3, 8, 3, rngs=rngs)
        self.norm1 = nnx.BatchNorm(8, epsilon=1e-3, rngs=rngs)
        self.conv2 = flax_conv(8, 8, 5, rngs=rngs)
        self.norm2 = nnx.BatchNorm(8, epsilon=1e-3, rngs=rngs)
        super().__init__(8, rngs)  # last: weights are drawn in the order of the layers


class Dilated(nnx.Module):
    """Four branches side by side: 1x1, and 1x1 then 3x3 with dilation 1, 2 and 3.

    Every convolution is followed by ReLU; `widths` are the channels of each branch.
    """

    def __init__(self, inputs: int, widths: tuple[int, int, int, int], rngs: nnx.Rngs):
        first, *others = widths
        self.single = nnx.Conv(inputs, first, (1, 1), rngs=rngs)
        self.reduces = nnx.List([nnx.Conv(inputs, w, (1, 1), rngs=rngs) for w in others])
        self.dilated = nnx.List(
            nnx.Conv(w, w, (3, 3), kernel_dilation=d, rngs=rngs)
            for w, d in zip(others, _DILATIONS, strict=True)
        )

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[AnyArray, "b h w k"]:
        """Return the branches joined by channel."""
        x = jnp.asarray(x)
        branches = [relu(self.single(x))]
        for reduce, dilated in zip(self.reduces, self.dilated, strict=True):
            branches.append(relu(dilated(relu(reduce(x)))))
        return jnp.concatenate(branches, axis=-1)


class MesoInception4(MesoNetwork):
    """Meso4 with its first two convolutions replaced by modules of dilated branches.

    Images of 256x256 in [0, 1]; features 8x8x16. Two modules of 1+4+4+2 and 2+4+4+2 channels, two
    5x5 convolutions of 16, each with ReLU, batch normalisation (epsilon 1e-3) and maximum pooling
    by 2, 2, 2, 4; then the two dense layers of Meso4. The one output z is positive for a real
    face. 28,615 weights.

    Afchar, Nozick, Yamagishi and Echizen (2018), arXiv:1809.00888, sec. 3.2.
    """

    layers: ClassVar = ("mixed1", "mixed2")

    def __init__(self, rngs: nnx.Rngs):
        self.mixed1 = Dilated(3, (1, 4, 4, 2), rngs)
        self.norm1 = nnx.BatchNorm(11, epsilon=1e-3, rngs=rngs)
        self.mixed2 = Dilated(11, (2, 4, 4, 2), rngs)
        self.norm2 = nnx.BatchNorm(12, epsilon=1e-3, rngs=rngs)
        super().__init__(12, rngs)


_PLAIN = {"kernel": "kernel", "bias": "bias"}
_NORM = {"scale": "gamma", "bias": "beta", "mean": "moving_mean", "var": "moving_variance"}


def _keras_table(convs: tuple[str, ...]) -> WeightTable:
    """Return the names of a network, given its convolutions in the order of Keras."""
    layers = [
        *((name, "conv2d", i, _PLAIN) for i, name in enumerate(convs)),
        *((f"norm{i + 1}", "batch_normalization", i, _NORM) for i in range(4)),
        *((f"dense{i + 1}", "dense", i, _PLAIN) for i in range(2)),
    ]
    return {
        f"{ours}.{mine}": (f"{kind}_{i}/{their}" if i else f"{kind}/{their}", same)
        for ours, kind, i, names in layers
        for mine, their in names.items()
    }


# Meso4_DF.h5 and Meso4_F2F.h5 of the authors' repository
KERAS = _keras_table(("conv1", "conv2", "conv3", "conv4"))

# MesoInception_DF.h5 and MesoInception_F2F.h5
_MIXED = ("single", *(f"{kind}.{i}" for i in range(3) for kind in ("reduces", "dilated")))
INCEPTION_KERAS = _keras_table(
    (*(f"{module}.{conv}" for module in ("mixed1", "mixed2") for conv in _MIXED), "conv3", "conv4")
)
