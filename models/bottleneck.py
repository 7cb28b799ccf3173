"""Inverted bottlenecks of MobileNet and EfficientNet, and their parts."""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.nn import Conv, batch_norm
from salix.typing import AnyArray

Activation = Callable[[Any], Any]
SWISH_SIGMOID: tuple[Activation, Activation] = (jax.nn.silu, jax.nn.sigmoid)


def scale_width(width: int, factor: float) -> int:
    """Return width times factor, rounded to a multiple of 8 and at most 10 % below it."""
    near = max(8, int(width * factor + 4) // 8 * 8)
    return near if near >= 0.9 * width * factor else near + 8


def _same(side: int, size: int, strides: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return TensorFlow's padding of a kernel for grids of one side, a number of pixels."""
    total = max((math.ceil(side / strides) - 1) * strides + size - side, 0)
    margins = (total // 2, total - total // 2)
    return margins, margins


class ConvNorm(nnx.Module):
    """Convolution and normalisation; `tf` pads as TensorFlow, with epsilon 1e-3 for 1e-5.

    `side` fixes TensorFlow's padding to that of grids with this side; `epsilon` is another one.
    """

    folds: ClassVar = {"conv": "norm"}

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        strides: int = 1,
        *,
        groups: int = 1,
        tf: bool,
        side: int | None = None,
        epsilon: float | None = None,
        rngs: nnx.Rngs,
    ):
        epsilon = epsilon or (1e-3 if tf else 1e-5)
        # at stride 2 of an even grid "SAME" pads one row less above and left than below and right
        padding = "SAME" if tf else size // 2
        if side is not None:
            padding = _same(side, size, strides)
        self.conv = Conv(inputs, outputs, size, strides, padding, groups=groups, rngs=rngs)
        self.norm = batch_norm(outputs, epsilon=epsilon, rngs=rngs)

    def __call__(self, x: AnyArray) -> Array:
        """Return the normalised convolution of x."""
        return self.norm(self.conv(x))


class Squeeze(nnx.Module):
    r"""Squeeze and excitation: channels times $g(W_2 f(W_1 \bar x + b_1) + b_2)$.

    The `activations` f and g are swish and the logistic function in EfficientNet. Hu, Shen and Sun
    (2018), arXiv:1709.01507, sec. 3.
    """

    def __init__(
        self,
        channels: int,
        squeezed: int,
        *,
        activations: tuple[Activation, Activation] = SWISH_SIGMOID,
        rngs: nnx.Rngs,
    ):
        self.activate, self.gate = activations
        self.reduce = Conv(channels, squeezed, 1, bias=True, rngs=rngs)
        self.expand = Conv(squeezed, channels, 1, bias=True, rngs=rngs)

    def __call__(self, x: Float[AnyArray, "b y x c"]) -> Float[Array, "b y x c"]:
        """Return the reweighted channels of x."""
        mean = jnp.mean(jnp.asarray(x), axis=(1, 2), keepdims=True)
        return jnp.asarray(x) * self.gate(self.expand(self.activate(self.reduce(mean))))


class InvertedBottleneck(nnx.Module):
    """Inverted bottleneck: expansion 1x1, depthwise convolution, squeeze, projection 1x1.

    `shape` is the width within, the size of the depthwise kernel, its stride, inputs and outputs.
    The input is added where shapes agree; a block as wide within as its inputs has no first
    convolution. `squeeze(width)` returns the squeeze of as many channels, None none; `norm` is
    `ConvNorm` with the arithmetic of the network. Sandler et al. (2018), arXiv:1801.04381.
    """

    def __init__(
        self,
        shape: tuple[int, int, int, int, int],
        *,
        activate: Activation,
        norm: Callable[..., ConvNorm],
        squeeze: Callable[[int], Squeeze] | None = None,
        side: int | None = None,
    ):
        middle, size, strides, inputs, outputs = shape
        self.activate = activate
        self.expand = nnx.data(norm(inputs, middle, 1) if middle != inputs else None)
        self.depthwise = norm(middle, middle, size, strides, groups=middle, side=side)
        self.squeeze = nnx.data(None if squeeze is None else squeeze(middle))
        self.project = norm(middle, outputs, 1)
        self.added = strides == 1 and inputs == outputs

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b y x k"]:
        """Return the block's output."""
        h = x if self.expand is None else self.activate(self.expand(x))
        h = self.activate(self.depthwise(h))
        h = self.project(h if self.squeeze is None else self.squeeze(h))
        return h + x if self.added else h
