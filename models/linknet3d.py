"""3D LinkNet for the segmentation of volumes, and deepbet's extractor of the brain."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from salix.models.checkpoints.module_state import filled
from salix.models.checkpoints.naming import WeightTable, convert, same
from salix.models.checkpoints.torch import read_torch
from salix.nn.layers3d import Conv3d, Upsample3d, Volumes, instance_norm, max_pool_3
from salix.typing import InputError

WIDTHS = (16, 32, 64, 128)


class Residual(nnx.Module):
    """Two convolutions of 3 x 3 x 3, added to the input, at half the size with `stride` 2."""

    def __init__(self, inputs: int, outputs: int, stride: int, rngs: nnx.Rngs):
        self.first = Conv3d(inputs, outputs, 3, stride, bias=False, rngs=rngs)
        self.second = Conv3d(outputs, outputs, 3, bias=False, rngs=rngs)
        change = stride > 1 or inputs != outputs
        shortcut = Conv3d(inputs, outputs, 1, stride, bias=False, rngs=rngs) if change else None
        self.shortcut = nnx.data(shortcut)

    def __call__(self, x: Volumes) -> Float[Array, "b z y x o"]:
        """Return the features of volumes."""
        y = jax.nn.relu(instance_norm(self.first(x)))
        y = instance_norm(self.second(y))
        x = jnp.asarray(x) if self.shortcut is None else instance_norm(self.shortcut(x))
        return jax.nn.relu(y + x)


class Up(nnx.Module):
    """Pointwise to a quarter of the channels, transposed convolution, pointwise: LinkNet's decoder.

    With `stride` 1 the size stays, and the convolution is an ordinary one.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, rngs: nnx.Rngs):
        inner = inputs // 4
        self.narrow = Conv3d(inputs, inner, 1, bias=False, rngs=rngs)
        grow = Conv3d(inner, inner, 3, bias=False, rngs=rngs)
        self.grow = Upsample3d(inner, inner, 3, 1, rngs=rngs) if stride > 1 else grow
        self.widen = Conv3d(inner, outputs, 1, bias=False, rngs=rngs)

    def __call__(self, x: Volumes) -> Float[Array, "b z y x o"]:
        """Return the features of volumes."""
        for layer in (self.narrow, self.grow, self.widen):
            x = jax.nn.relu(instance_norm(layer(x)))
        return jnp.asarray(x)


class LinkNet3D(nnx.Module):
    """3D LinkNet: logits [b d h w classes] of volumes whose sides are multiples of `multiple`.

    A residual encoder of two blocks a level from a quarter of the size on, and a decoder whose
    features are added to those of the encoder. Normalisation is by instance, over all voxels of a
    volume: the output in a part of a volume depends on all of it.

    Chaurasia and Culurciello (2017), arXiv:1707.03718, in three dimensions, as in deepbet.
    """

    def __init__(
        self, inputs: int, outputs: int, widths: tuple[int, ...] = WIDTHS, *, rngs: nnx.Rngs
    ):
        width = widths[0]
        self.stem = Conv3d(inputs, width, 7, 2, bias=False, rngs=rngs)
        sizes = list(zip((width, *widths[:-1]), widths, (1, 2, 2, 2), strict=True))
        self.down = nnx.List(
            [nnx.List([Residual(a, b, s, rngs), Residual(b, b, 1, rngs)]) for a, b, s in sizes]
        )
        self.up = nnx.List([Up(b, a, s, rngs) for a, b, s in reversed(sizes)])
        self.grow = Upsample3d(width, width // 2, 3, 1, bias=True, rngs=rngs)
        self.join = Conv3d(width // 2, width // 2, 3, rngs=rngs)
        self.head = Upsample3d(width // 2, outputs, 2, bias=True, rngs=rngs)

    @property
    def multiple(self) -> int:
        """The number that divides the sides of volumes."""
        return 2 ** (len(self.down) + 1)

    def __call__(self, x: Volumes) -> Float[Array, "b d h w k"]:
        """Return the logits of volumes [b d h w c]."""
        if any(n % self.multiple for n in x.shape[1:4]):
            raise InputError(
                f"volumes of {x.shape[1:4]} voxels: the sides must be multiples of {self.multiple} "
                f"for a LinkNet of {len(self.down)} levels; resample them to cubes of such a size"
            )
        x = max_pool_3(jax.nn.relu(instance_norm(self.stem(x))))
        skips = [x]
        for level in self.down:
            for block in level:
                x = block(x)
            skips.append(x)
        skips.pop()
        for up in self.up:
            x = up(x) + skips.pop()
        for layer in (self.grow, self.join):
            x = jax.nn.relu(instance_norm(layer(x)))
        return self.head(x)


def _volumes(array: np.ndarray) -> np.ndarray:
    """Return a PyTorch convolution OIDHW as DHWIO."""
    return array.transpose(2, 3, 4, 1, 0)


def _rotated(array: np.ndarray) -> np.ndarray:
    """Return a PyTorch transposed convolution IODHW of stride 1 as the equivalent convolution."""
    return array.transpose(2, 3, 4, 0, 1)[::-1, ::-1, ::-1]


def _deepbet_names() -> WeightTable:
    table: dict[str, tuple[str, object]] = {"stem.kernel": ("init.0.weight", _volumes)}
    for level in range(4):
        for n in (0, 1):
            theirs = f"down{level}.block{n + 1}"
            parts = {"first": "double_conv.0", "second": "double_conv.3"}
            parts |= {"shortcut": "downsample.0"} if level and not n else {}
            for ours, name in parts.items():
                table[f"down.{level}.{n}.{ours}.kernel"] = (f"{theirs}.{name}.weight", _volumes)
        # IODHW of a transposed convolution is OIDHW of the convolution whose gradient it is.
        grow = _volumes if level < 3 else _rotated
        for ours, name, layout in (
            ("narrow", "conv1", _volumes),
            ("grow", "tp_conv", grow),
            ("widen", "conv2", _volumes),
        ):
            table[f"up.{level}.{ours}.kernel"] = (f"up{level}.{name}.0.weight", layout)
    for ours, name in (("grow", "tp_conv1.0"), ("join", "conv.0"), ("head", "tp_conv2")):
        table[f"{ours}.kernel"] = (f"{name}.weight", _volumes)
        table[f"{ours}.bias"] = (f"{name}.bias", same)
    return table  # pyright: ignore[reportReturnType]


DEEPBET = _deepbet_names()


def load_deepbet(weights: str | Path) -> LinkNet3D:
    """Return a network of deepbet, in evaluation: logits of background and brain.

    `weights` is the file of `salix.data.assets.fetch("deepbet")`, for the box of the brain in 256 x
    256 x 256 voxels, or of `fetch("deepbet-box")`, which finds the box in 128 x 128 x 128 voxels;
    `salix.studies.agg2exp.deepbet` makes their inputs. The release returns the softmax of these
    logits. Raises InputError when the file does not fit.
    """
    arrays = read_torch(weights)
    build = lambda rngs: LinkNet3D(1, 2, rngs=rngs)  # noqa: E731
    return filled(build, convert(DEEPBET, arrays), weights, "deepbet")
