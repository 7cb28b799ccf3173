"""Local pathway of TP-GAN: a U-net for one part of the face, and the fusion of parts."""

from collections.abc import Sequence
from itertools import pairwise

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.models.tpgan_layers import Deconv, LeakyConv, LeakyResidual, truncated_conv
from salix.models.tpgan_patches import PATCHES, patch_boxes
from salix.typing import AnyArray


class LocalPathway(nnx.Module):
    """U-net of a patch: features [b h w k] as many as its width, and an image [b h w 3].

    Three convolutions of stride 2 and three transposed ones; where a side is odd the enlarged map
    is cut to that of the encoder.
    """

    def __init__(self, channels: int, width: int, *, rngs: nnx.Rngs):
        w = width
        self.first = LeakyConv(channels, w, 3, norm=False, rngs=rngs)
        widths = (w, 2 * w, 4 * w, 8 * w)
        self.residuals = nnx.List(
            [LeakyResidual(c, rngs=rngs) for c in (*widths, widths[-1])]  # two in the middle
        )
        pairs = list(pairwise(widths))
        self.downs = nnx.List([LeakyConv(i, o, 3, 2, rngs=rngs) for i, o in pairs])
        self.ups = nnx.List([Deconv(o, i, rngs=rngs) for i, o in pairs[::-1]])
        self.joins = nnx.List([LeakyConv(2 * i, i, 3, rngs=rngs) for i, _ in pairs[::-1]])
        self.refined = nnx.List([LeakyResidual(i, rngs=rngs) for i, _ in pairs[::-1]])
        self.out = truncated_conv(w, 3, 3, rngs=rngs)

    def __call__(self, patch: Float[AnyArray, "b h w c"]) -> tuple[Array, Array]:
        """Return the features and the image of a patch."""
        x = self.residuals[0](self.first(patch))
        maps = []
        for down, residual in zip(self.downs, list(self.residuals)[1:4], strict=True):
            maps.append(x)
            x = residual(down(x))
        x = self.residuals[4](x)
        for up, join, residual in zip(self.ups, self.joins, self.refined, strict=True):
            skip = maps.pop()
            larger = up(x)[:, : skip.shape[1], : skip.shape[2]]
            x = residual(join(jnp.concatenate([larger, skip], -1)))
        return x, jnp.tanh(self.out(x))


def fuse(maps: Sequence[Float[Array, "b _ _ c"]], side: int) -> Float[Array, "b s s c"]:
    """Return the maximum over the parts of maps placed in a frontal face, 0 where a part is not."""
    placed = []
    for part, x in zip(PATCHES, maps, strict=True):
        top, left, bottom, right = patch_boxes(side)[part]
        margins = ((0, 0), (top, side - bottom), (left, side - right), (0, 0))
        placed.append(jnp.pad(x, margins))
    fused = placed[0]
    for x in placed[1:]:
        fused = jnp.maximum(fused, x)
    return fused
