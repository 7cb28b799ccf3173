"""3D U-Net for the segmentation of volumes, and deepbrain's extractor of the brain."""

from pathlib import Path

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.models.checkpoints.frozen_graph import read_frozen_graph
from salix.models.checkpoints.module_state import filled
from salix.models.checkpoints.naming import WeightTable, convert, same
from salix.nn.layers3d import Conv3d, Upsample3d, Volumes, max_pool_halves
from salix.typing import InputError


class UNet3D(nnx.Module):
    """3D U-Net: logits [b d h w classes] of volumes whose sides are multiples of `multiple`.

    Each level has two convolutions of 3 x 3 x 3 with ReLU and a maximum over 2 x 2 x 2; on the way
    up a transposed convolution doubles the size, the features of the way down are joined to it,
    and one convolution follows. The last level has no convolution of its own: the network of
    deepbrain. Dropout of its training is left out. With one output z the logits are (-z/2, z/2).

    Çiçek et al. (2016), arXiv:1606.06650, without batch normalisation.
    """

    def __init__(self, inputs: int, outputs: int, widths: tuple[int, ...], rngs: nnx.Rngs):
        sizes = list(zip((inputs, *widths[:-1]), widths, strict=True))
        self.down = nnx.List(
            [nnx.List([Conv3d(a, b, 3, rngs=rngs), Conv3d(b, b, 3, rngs=rngs)]) for a, b in sizes]
        )
        ups = list(zip(widths[::-1], (widths[-1], *widths[:0:-1]), strict=True))
        self.up = nnx.List([Upsample3d(below, here, rngs=rngs) for here, below in ups])
        self.join = nnx.List([Conv3d(2 * here, here, 3, rngs=rngs) for here, _ in ups])
        self.head = Conv3d(widths[0], outputs, 1, rngs=rngs)

    @property
    def multiple(self) -> int:
        """The number that divides the sides of volumes."""
        return 2 ** len(self.down)

    def __call__(self, x: Volumes) -> Float[Array, "b d h w k"]:
        """Return the logits of volumes [b d h w c]."""
        if any(n % self.multiple for n in x.shape[1:4]):
            raise InputError(
                f"volumes of {x.shape[1:4]} voxels: the sides must be multiples of {self.multiple} "
                f"for a U-Net of {len(self.down)} levels; pad them, or give windows of such a size"
            )
        x, skips = jnp.asarray(x), []
        for first, second in self.down:
            x = jax.nn.relu(second(jax.nn.relu(first(x))))
            skips.append(x)
            x = max_pool_halves(x)
        for up, join, skip in zip(self.up, self.join, reversed(skips), strict=True):
            x = jax.nn.relu(join(jnp.concatenate([up(x), skip], axis=-1)))
        z = self.head(x)
        return jnp.concatenate([-z / 2, z / 2], axis=-1) if z.shape[-1] == 1 else z


def _deepbrain_names() -> WeightTable:
    layers = [f"down.{level}.{n}" for level in range(3) for n in range(2)]
    layers += ["join.0", "join.1", "join.2", "head"]
    theirs = ["conv3d", *(f"conv3d_{n}" for n in range(1, 10))]
    table: dict[str, tuple[str, object]] = {}
    for ours, name in zip(layers, theirs, strict=True):
        for part in ("kernel", "bias"):
            table[f"{ours}.{part}"] = (f"{name}/{part}", same)
    for level, end in enumerate(("", "_1", "_2")):
        table[f"up.{level}.kernel"] = (f"conv3d_transpose{end}/kernel", same)
    return table  # pyright: ignore[reportReturnType]


DEEPBRAIN = _deepbrain_names()
DEEPBRAIN_SIDE = 128  # voxels, after resizing to a cube; intensities are divided by their maximum


def load_deepbrain(weights: str | Path) -> UNet3D:
    """Return deepbrain's segmenter of the brain, in evaluation: logits of background and brain.

    For volumes of 128 x 128 x 128 voxels whose maximum is 1. `weights` is the file of
    `salix.data.assets.fetch("deepbrain")`. Raises InputError when it does not fit.
    """
    arrays = read_frozen_graph(weights)
    names = {theirs for theirs, _ in DEEPBRAIN.values()}
    arrays = {name: array for name, array in arrays.items() if name in names}
    build = lambda rngs: UNet3D(1, 1, (8, 16, 32), rngs)  # noqa: E731
    return filled(build, convert(DEEPBRAIN, arrays), weights, "deepbrain")
