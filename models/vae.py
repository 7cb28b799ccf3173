"""Variational autoencoder of small grey face images."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float

from salix.models.checkpoints.formats import read
from salix.models.checkpoints.module_state import filled
from salix.models.checkpoints.naming import WeightTable, conv, convert, dense, same, transposed
from salix.typing import AnyArray

LATENT = 64


class VAE(nnx.Module):
    """VAE: encoder of three convolutions and two dense layers, and its mirror image as decoder.

    64x64x1 -> 32x32x32 -> 16x16x64 -> 8x8x128 -> 256 -> mean and log variance of 64 values, kernels
    4x4, stride 2, ReLU between layers; the decoder ends in a sigmoid.

    Kingma and Welling (2014), arXiv:1312.6114.
    """

    def __init__(self, rngs: nnx.Rngs):
        def down(inputs: int, outputs: int) -> nnx.Conv:
            return nnx.Conv(inputs, outputs, (4, 4), (2, 2), rngs=rngs)

        def up(inputs: int, outputs: int) -> nnx.ConvTranspose:
            return nnx.ConvTranspose(inputs, outputs, (4, 4), (2, 2), rngs=rngs)

        self.down1, self.down2, self.down3 = down(1, 32), down(32, 64), down(64, 128)
        self.dense1 = nnx.Linear(8 * 8 * 128, 256, rngs=rngs)
        self.dense2 = nnx.Linear(256, 2 * LATENT, rngs=rngs)
        self.dense3 = nnx.Linear(LATENT, 256, rngs=rngs)
        self.dense4 = nnx.Linear(256, 8 * 8 * 128, rngs=rngs)
        self.up1, self.up2, self.up3 = up(128, 64), up(64, 32), up(32, 1)

    def encode(
        self, x: Float[AnyArray, "b 64 64 1"]
    ) -> tuple[Float[AnyArray, "b 64"], Float[AnyArray, "b 64"]]:
        """Return the mean and the logarithm of the variance of the latent code of images."""
        h = jnp.asarray(x)
        for layer in (self.down1, self.down2, self.down3):
            h = jax.nn.relu(layer(h))
        h = jax.nn.relu(self.dense1(h.reshape(h.shape[0], -1)))
        mean, logvar = jnp.split(self.dense2(h), 2, axis=-1)
        return mean, logvar

    def decode(self, z: Float[AnyArray, "b 64"]) -> Float[AnyArray, "b 64 64 1"]:
        """Return the images, in [0, 1], of latent codes."""
        h = jax.nn.relu(self.dense4(jax.nn.relu(self.dense3(jnp.asarray(z)))))
        x = h.reshape(-1, 8, 8, 128)
        x = jax.nn.relu(self.up2(jax.nn.relu(self.up1(x))))
        return jax.nn.sigmoid(self.up3(x))

    def __call__(self, x: Float[AnyArray, "b 64 64 1"]) -> Float[AnyArray, "b 64 64 1"]:
        """Return the reconstruction of images in [0, 1] from the mean of their code."""
        return self.decode(self.encode(x)[0])


# PyTorch flattens [128 8 8], channel first; here the grid is [8 8 128].
def _from_grid(array: np.ndarray) -> np.ndarray:
    """Turn a linear weight that reads the grid, OI, into IO."""
    return array.reshape(-1, 128, 8, 8).transpose(2, 3, 1, 0).reshape(8 * 8 * 128, -1)


def _to_grid(array: np.ndarray) -> np.ndarray:
    """Turn a linear weight that writes the grid, OI, into IO."""
    return array.reshape(128, 8, 8, -1).transpose(3, 1, 2, 0).reshape(-1, 8 * 8 * 128)


def _grid_bias(array: np.ndarray) -> np.ndarray:
    """Turn the bias of a linear layer that writes the grid."""
    return array.reshape(128, 8, 8).transpose(1, 2, 0).reshape(-1)


# vae_model.pth of CriminAI 1.0.6 (trained on the Olivetti faces)
TORCH: WeightTable = {
    "down1.kernel": ("encoder.0.weight", conv),
    "down1.bias": ("encoder.0.bias", same),
    "down2.kernel": ("encoder.2.weight", conv),
    "down2.bias": ("encoder.2.bias", same),
    "down3.kernel": ("encoder.4.weight", conv),
    "down3.bias": ("encoder.4.bias", same),
    "dense1.kernel": ("encoder.7.weight", _from_grid),
    "dense1.bias": ("encoder.7.bias", same),
    "dense2.kernel": ("encoder.9.weight", dense),
    "dense2.bias": ("encoder.9.bias", same),
    "dense3.kernel": ("decoder.0.weight", dense),
    "dense3.bias": ("decoder.0.bias", same),
    "dense4.kernel": ("decoder.2.weight", _to_grid),
    "dense4.bias": ("decoder.2.bias", _grid_bias),
    "up1.kernel": ("decoder.5.weight", transposed),
    "up1.bias": ("decoder.5.bias", same),
    "up2.kernel": ("decoder.7.weight", transposed),
    "up2.bias": ("decoder.7.bias", same),
    "up3.kernel": ("decoder.9.weight", transposed),
    "up3.bias": ("decoder.9.bias", same),
}


def load_vae(weights: str | Path) -> VAE:
    """Return the autoencoder of faces with the weights of a file, in evaluation.

    `weights` is the file of `salix.data.assets.fetch("olivetti-vae")`; its faces are those of
    `salix.data.assets.olivetti`, divided by 255. Raises InputError when it does not fit.
    """
    return filled(VAE, convert(TORCH, read(weights)), weights, "vae")
