"""Discriminator of TP-GAN: logits of patches of a face."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.models.tpgan import WIDTH
from salix.models.tpgan_layers import LeakyConv, LeakyResidual, truncated_conv
from salix.typing import AnyArray


class Discriminator(nnx.Module):
    """Discriminator of faces by patches: five convolutions of stride 2 and two residual blocks.

    Logits [b s/32 s/32] are positive for photographs. 13,357,441 weights at width 64.

    Huang et al. (2017), arXiv:1704.04086; 4 x 4 logits of 128 pixels as in the released code.
    """

    def __init__(self, width: int = WIDTH, *, rngs: nnx.Rngs):
        w = width
        self.layers = nnx.List(
            [
                LeakyConv(3, w, 3, 2, norm=False, rngs=rngs),
                LeakyConv(w, 2 * w, 3, 2, rngs=rngs),
                LeakyConv(2 * w, 4 * w, 3, 2, rngs=rngs),
                LeakyConv(4 * w, 8 * w, 3, 2, rngs=rngs),
                LeakyResidual(8 * w, 3, rngs=rngs),
                LeakyConv(8 * w, 8 * w, 3, 2, rngs=rngs),
                LeakyResidual(8 * w, 3, rngs=rngs),
            ]
        )
        self.out = truncated_conv(8 * w, 1, 1, rngs=rngs)

    def __call__(self, images: Float[AnyArray, "b s s 3"]) -> Float[Array, "b y x"]:
        """Return the logits of images in [0, 1]."""
        x = jnp.asarray(images)
        for layer in self.layers:
            x = layer(x)
        return self.out(x)[..., 0]
