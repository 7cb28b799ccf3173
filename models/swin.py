"""Swin transformer: attention within windows, which are shifted in every other block."""

from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from salix.models.transformer import EncoderBlock
from salix.models.transformer_config import TransformerConfig
from salix.nn import Conv, Linear, Stage, StagedNetwork, sequence
from salix.typing import AnyArray

TINY: dict[str, Any] = {"width": 96, "depths": (2, 2, 6, 2), "heads": (3, 6, 12, 24)}
_MASKED = np.float32(-100)  # added to the products of two regions of a shifted window


def _norm(width: int, rngs: nnx.Rngs) -> nnx.LayerNorm:
    return nnx.LayerNorm(width, epsilon=1e-5, use_fast_variance=False, rngs=rngs)


def _offsets(window: int) -> np.ndarray:
    """Return the row of the table of biases for each pair of positions in a window, [n n]."""
    rows, columns = np.divmod(np.arange(window**2), window)
    down, right = (axis[:, None] - axis[None] + window - 1 for axis in (rows, columns))
    return down * (2 * window - 1) + right


def _regions(length: int, window: int, shift: int) -> np.ndarray:
    """Return the region of each position of a shifted axis: two that are no neighbours differ."""
    places = np.arange(length)
    return np.where(places < length - window, 0, np.where(places < length - shift, 1, 2))


def _windows(x: Array, window: int) -> Array:
    """Return the tokens of the windows of a grid, [b*m window*window c]."""
    b, h, w, c = x.shape
    x = x.reshape(b, h // window, window, w // window, window, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(-1, window * window, c)


def _grid(tokens: Array, shape: tuple[int, ...], window: int) -> Array:
    """Return the grid [b h w c] whose windows have these tokens."""
    b, h, w, c = shape
    x = tokens.reshape(b, h // window, w // window, window, window, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(shape)


def _mask(sides: tuple[int, ...], shifts: tuple[int, ...], window: int) -> np.ndarray:
    """Return what is added to the products in each window of a shifted grid, [m 1 n n]."""
    rows, columns = (
        _regions(side, window, shift) if shift else np.zeros(side, int)
        for side, shift in zip(sides, shifts, strict=True)
    )
    region = 3 * rows[:, None] + columns[None]
    parts = region.reshape(sides[0] // window, window, sides[1] // window, window)
    parts = parts.transpose(0, 2, 1, 3).reshape(-1, 1, window**2)
    return np.where(parts[..., None] == parts[:, :, None], np.float32(0), _MASKED)


class SwinBlock(nnx.Module):
    """Residual attention in windows, shifted or not, and perceptron, each after a normalisation.

    The grid is padded by zeros below and right to whole windows; a window that spans an axis is not
    shifted along it.
    """

    def __init__(self, config: TransformerConfig, window: int, shift: int, *, rngs: nnx.Rngs):
        self.block = EncoderBlock(config, rngs=rngs)
        shape = ((2 * window - 1) ** 2, config.heads)
        draws = jax.random.normal(rngs.params(), shape, jnp.float32)
        self.biases = nnx.Param(np.float32(0.02) * draws)
        self.window, self.shift = window, shift

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b h w c"]:
        """Return the block's output."""
        x = jnp.asarray(x)
        return self.block.perceptron(x + self._attended(self.block.norm1(x)))

    def _attended(self, x: Array) -> Array:
        b, h, w, _ = x.shape
        sides = tuple(-(-side // self.window) * self.window for side in (h, w))
        shifts = tuple(self.shift * (side > self.window) for side in sides)
        x = jnp.pad(x, ((0, 0), (0, sides[0] - h), (0, sides[1] - w), (0, 0)))
        x = jnp.roll(x, tuple(-shift for shift in shifts), (1, 2)) if any(shifts) else x
        bias = self.biases[...][_offsets(self.window)].transpose(2, 0, 1)[None]
        if any(shifts):
            mask = jnp.asarray(_mask(sides, shifts, self.window), bias.dtype)
            bias = jnp.tile(bias + mask, (b, 1, 1, 1))
        tokens = self.block.attention(_windows(x, self.window), bias)
        x = _grid(tokens, x.shape, self.window)
        return (jnp.roll(x, shifts, (1, 2)) if any(shifts) else x)[:, :h, :w]


class PatchMerging(nnx.Module):
    """Four neighbours of the grid as channels, normalised, then half as many by a linear layer."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs):
        self.norm = _norm(4 * inputs, rngs)
        self.reduction = Linear(4 * inputs, outputs, bias=False, rngs=rngs)

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b y x k"]:
        """Return the smaller grid; an odd side is padded by zeros."""
        x = jnp.asarray(x)
        b, h, w, c = x.shape
        x = jnp.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)))
        x = x.reshape(b, (h + 1) // 2, 2, (w + 1) // 2, 2, c).transpose(0, 1, 3, 4, 2, 5)
        return self.reduction(self.norm(x.reshape(*x.shape[:3], 4 * c)))


class Swin(StagedNetwork):
    """Swin transformer: patches 4x4, four stages of blocks, normalisation, mean and classifier.

    Images [b h w 3], standardised by ImageNet's mean and deviation; features [b h/32 w/32 c] are
    the normalised tokens on their grid, 7x7 of 224x224, before the mean: what a reshape of them
    gives to Grad-CAM. The cut `stage4` is before the normalisation. Windows are 7x7, normalisations
    have epsilon 1e-5; the stochastic depth of training is left out. With 1000 classes Swin-T has
    28,288,354 weights.

    Liu et al. (2021), arXiv:2103.14030, sec. 3 and table 7; torchvision 0.28.
    """

    def __init__(
        self,
        rngs: nnx.Rngs,
        classes: int = 1000,
        *,
        width: int = TINY["width"],
        depths: tuple[int, ...] = TINY["depths"],
        heads: tuple[int, ...] = TINY["heads"],
        window: int = 7,
    ):
        widths = [width * 2**i for i in range(len(depths))]
        self.patches = Conv(3, width, 4, 4, 0, bias=True, rngs=rngs)
        self.patches_norm = _norm(width, rngs)
        self.stages, self.merges = nnx.List(), nnx.List()
        for channels, depth, number in zip(widths, depths, heads, strict=True):
            config = TransformerConfig(width=channels, heads=number, epsilon=1e-5)
            block = partial(SwinBlock, config, window, rngs=rngs)
            self.stages.append(nnx.List([block(shift=i % 2 * (window // 2)) for i in range(depth)]))
        for inputs, outputs in pairwise(widths):
            self.merges.append(PatchMerging(inputs, outputs, rngs=rngs))
        self.norm = _norm(widths[-1], rngs)
        self.fc = nnx.Linear(widths[-1], classes, rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `stage1` to `stage4`, each with what changes the grid before it, and `norm`."""
        before = [(self.patches, self.patches_norm), *((merge,) for merge in self.merges)]
        stages: dict[str, Stage] = {
            f"stage{i}": sequence(*first, *blocks)
            for i, (first, blocks) in enumerate(zip(before, self.stages, strict=True), 1)
        }
        return stages | {"norm": self.norm}

    def classify(self, features: Float[AnyArray, "b y x c"]) -> Float[Array, "b classes"]:
        """Return the logits of the normalised tokens."""
        return self.fc(jnp.mean(jnp.asarray(features), axis=(1, 2)))
