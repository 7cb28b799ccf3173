"""DCGAN generator of face images."""

from pathlib import Path

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from salix.models.checkpoints.formats import read
from salix.models.checkpoints.module_state import filled
from salix.models.checkpoints.naming import WeightTable, batch_norm, convert, transposed
from salix.typing import AnyArray

LATENT = 100


class DCGAN(nnx.Module):
    """DCGAN generator: five transposed convolutions from a latent vector to a 64x64 RGB image.

    100 -> 4x4x512 -> 8x8x256 -> 16x16x128 -> 32x32x64 -> 64x64x3, kernels 4x4, stride 2 after the
    first, without bias; batch normalisation and ReLU after all but the last, then tanh: pixels in
    [-1, 1].

    Radford, Metz and Chintala (2016), arXiv:1511.06434, sec. 3.
    """

    def __init__(self, rngs: nnx.Rngs):
        def up(inputs: int, outputs: int) -> nnx.ConvTranspose:
            first = inputs == LATENT  # 1x1 -> 4x4; the others double the size
            strides, padding = ((1, 1), "VALID") if first else ((2, 2), "SAME")
            kernel = {"kernel_size": (4, 4), "strides": strides, "padding": padding}
            return nnx.ConvTranspose(inputs, outputs, **kernel, use_bias=False, rngs=rngs)

        self.up1, self.norm1 = up(LATENT, 512), nnx.BatchNorm(512, rngs=rngs)
        self.up2, self.norm2 = up(512, 256), nnx.BatchNorm(256, rngs=rngs)
        self.up3, self.norm3 = up(256, 128), nnx.BatchNorm(128, rngs=rngs)
        self.up4, self.norm4 = up(128, 64), nnx.BatchNorm(64, rngs=rngs)
        self.up5 = up(64, 3)

    def __call__(self, z: Float[AnyArray, "b 100"]) -> Float[AnyArray, "b 64 64 3"]:
        """Return the images of latent vectors drawn from a standard normal distribution."""
        x = jnp.asarray(z)[:, None, None, :]
        x = jax.nn.relu(self.norm1(self.up1(x)))
        x = jax.nn.relu(self.norm2(self.up2(x)))
        x = jax.nn.relu(self.norm3(self.up3(x)))
        x = jax.nn.relu(self.norm4(self.up4(x)))
        return jnp.tanh(self.up5(x))


# weights.tar of gan-face-generate 1.1.1 (trained on renders of DigiFace-1M)
TORCH: WeightTable = {
    "up1.kernel": ("netG_state_dict.main.0.weight", transposed),
    **batch_norm("norm1", "netG_state_dict.main.1"),
    "up2.kernel": ("netG_state_dict.main.3.weight", transposed),
    **batch_norm("norm2", "netG_state_dict.main.4"),
    "up3.kernel": ("netG_state_dict.main.6.weight", transposed),
    **batch_norm("norm3", "netG_state_dict.main.7"),
    "up4.kernel": ("netG_state_dict.main.9.weight", transposed),
    **batch_norm("norm4", "netG_state_dict.main.10"),
    "up5.kernel": ("netG_state_dict.main.12.weight", transposed),
}


def load_dcgan(weights: str | Path) -> DCGAN:
    """Return the face generator with the weights of a file, in evaluation.

    `weights` is the file of `salix.data.assets.fetch("dcgan")`. Raises InputError when it does not
    fit.
    """
    return filled(DCGAN, convert(TORCH, read(weights)), weights, "dcgan")
