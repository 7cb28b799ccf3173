"""Meso4, a small detector of forged faces that reads mesoscopic texture."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from salix.models.weights import Table, same
from salix.typing import AnyArray

_POOLS = (2, 2, 2, 4)


class Meso4(nnx.Module):
    """Four convolutions 3x3, 5x5, 5x5, 5x5 of 8, 8, 16, 16 channels, then two dense layers.

    Each block is convolution, ReLU, batch normalisation, maximum pooling by 2, 2, 2, 4. The one
    output z is positive for a real face: sigmoid(z) = P(real). The dropout of its training is left
    out. 27,977 weights.

    Afchar, Nozick, Yamagishi and Echizen (2018), arXiv:1809.00888, sec. 3.1.
    """

    def __init__(self, rngs: nnx.Rngs):
        self.conv1 = nnx.Conv(3, 8, (3, 3), rngs=rngs)
        self.norm1 = nnx.BatchNorm(8, epsilon=1e-3, rngs=rngs)
        self.conv2 = nnx.Conv(8, 8, (5, 5), rngs=rngs)
        self.norm2 = nnx.BatchNorm(8, epsilon=1e-3, rngs=rngs)
        self.conv3 = nnx.Conv(8, 16, (5, 5), rngs=rngs)
        self.norm3 = nnx.BatchNorm(16, epsilon=1e-3, rngs=rngs)
        self.conv4 = nnx.Conv(16, 16, (5, 5), rngs=rngs)
        self.norm4 = nnx.BatchNorm(16, epsilon=1e-3, rngs=rngs)
        self.dense1 = nnx.Linear(1024, 16, rngs=rngs)
        self.dense2 = nnx.Linear(16, 1, rngs=rngs)

    def trunk(self, x: Float[AnyArray, "b 256 256 3"]) -> Float[AnyArray, "b 8 8 16"]:
        """Return the pooled features of images in [0, 1]."""
        h = jnp.asarray(x)
        convs = (self.conv1, self.conv2, self.conv3, self.conv4)
        norms = (self.norm1, self.norm2, self.norm3, self.norm4)
        for conv, norm, size in zip(convs, norms, _POOLS, strict=True):
            h = norm(jax.nn.relu(conv(h)))
            h = nnx.max_pool(h, (size, size), strides=(size, size), padding="SAME")
        return h

    def head(self, features: Float[AnyArray, "b 8 8 16"]) -> Float[AnyArray, "b 1"]:
        """Return z of the features."""
        # height, width, channel, as in Keras
        flat = jnp.asarray(features).reshape(features.shape[0], -1)
        return self.dense2(jax.nn.leaky_relu(self.dense1(flat), 0.1))

    def __call__(self, x: Float[AnyArray, "b 256 256 3"]) -> Float[AnyArray, "b 1"]:
        """Return z of images in [0, 1]."""
        return self.head(self.trunk(x))


# Meso4_DF.h5 and Meso4_F2F.h5 of the authors' repository
KERAS: Table = {
    "conv1.kernel": ("conv2d/kernel", same),
    "conv1.bias": ("conv2d/bias", same),
    "norm1.scale": ("batch_normalization/gamma", same),
    "norm1.bias": ("batch_normalization/beta", same),
    "norm1.mean": ("batch_normalization/moving_mean", same),
    "norm1.var": ("batch_normalization/moving_variance", same),
    "conv2.kernel": ("conv2d_1/kernel", same),
    "conv2.bias": ("conv2d_1/bias", same),
    "norm2.scale": ("batch_normalization_1/gamma", same),
    "norm2.bias": ("batch_normalization_1/beta", same),
    "norm2.mean": ("batch_normalization_1/moving_mean", same),
    "norm2.var": ("batch_normalization_1/moving_variance", same),
    "conv3.kernel": ("conv2d_2/kernel", same),
    "conv3.bias": ("conv2d_2/bias", same),
    "norm3.scale": ("batch_normalization_2/gamma", same),
    "norm3.bias": ("batch_normalization_2/beta", same),
    "norm3.mean": ("batch_normalization_2/moving_mean", same),
    "norm3.var": ("batch_normalization_2/moving_variance", same),
    "conv4.kernel": ("conv2d_3/kernel", same),
    "conv4.bias": ("conv2d_3/bias", same),
    "norm4.scale": ("batch_normalization_3/gamma", same),
    "norm4.bias": ("batch_normalization_3/beta", same),
    "norm4.mean": ("batch_normalization_3/moving_mean", same),
    "norm4.var": ("batch_normalization_3/moving_variance", same),
    "dense1.kernel": ("dense/kernel", same),
    "dense1.bias": ("dense/bias", same),
    "dense2.kernel": ("dense_1/kernel", same),
    "dense2.bias": ("dense_1/bias", same),
}
