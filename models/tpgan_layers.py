"""Layers of TP-GAN: convolutions with leaky ReLU, residual blocks and transposed convolutions."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.core import Tracer
from jaxtyping import Array, Float

from salix.nn import Conv, batch_norm
from salix.nn.conv import conv
from salix.nn.layers import draw_normal
from salix.typing import AnyArray

SLOPE = 0.2  # of the leaky ReLU below 0
DEVIATION = 0.02  # of first weights


def leaky(x: AnyArray) -> Array:
    """Return the leaky ReLU of slope 0.2."""
    return jax.nn.leaky_relu(x, SLOPE)


def truncated_conv(
    inputs: int, outputs: int, size: int, strides: int = 1, *, rngs: nnx.Rngs
) -> Conv:
    """Return a convolution with a bias, whose kernel is normal, truncated at two deviations."""
    layer = Conv(inputs, outputs, size, strides, bias=True, rngs=rngs)
    layer.kernel = nnx.Param(_truncated(rngs, layer.kernel.shape))
    return layer


def _truncated(rngs: nnx.Rngs, shape: tuple[int, ...]) -> Array:
    """Return truncated normal numbers, drawn by NumPy except under tracing, as `draw_normal`."""
    from scipy.special import ndtr, ndtri

    key = rngs.params()
    if isinstance(key, Tracer):
        return DEVIATION * jax.random.truncated_normal(key, -2, 2, shape, jnp.float32)
    uniform = np.random.default_rng(np.asarray(jax.random.key_data(key))).random(shape)
    return jnp.asarray(DEVIATION * ndtri(ndtr(-2) + (ndtr(2) - ndtr(-2)) * uniform), jnp.float32)


class LeakyConv(nnx.Module):
    """Convolution, batch normalisation unless `norm` is False, and leaky ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        strides: int = 1,
        *,
        norm: bool = True,
        rngs: nnx.Rngs,
    ):
        self.conv = truncated_conv(inputs, outputs, size, strides, rngs=rngs)
        self.norm = nnx.data(batch_norm(outputs, rngs=rngs) if norm else None)

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b y x o"]:
        """Return the layer's output."""
        y = self.conv(x)
        return leaky(y if self.norm is None else self.norm(y))


class LeakyResidual(nnx.Module):
    """Two convolutions with normalisations, added to the input: both outputs by leaky ReLU."""

    def __init__(self, channels: int, size: int = 3, *, rngs: nnx.Rngs):
        self.first = LeakyConv(channels, channels, size, rngs=rngs)
        self.conv = truncated_conv(channels, channels, size, rngs=rngs)
        self.norm = batch_norm(channels, rngs=rngs)

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b h w c"]:
        """Return the block's output."""
        return leaky(jnp.asarray(x) + self.norm(self.conv(self.first(x))))


class Deconv(nnx.Module):
    """Transposed convolution 3x3 that enlarges by `stride`; then normalisation and ReLU if `norm`.

    $y_{sj+a} = \\sum_d k_{a+sd}\\,x_{j-d}$ along each axis: the transpose of a convolution with
    padding "SAME". It is computed as one convolution whose channels are the phases a.
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int = 2, *, norm: bool = True, rngs: nnx.Rngs
    ):
        self.kernel = nnx.Param(draw_normal(rngs, (3, 3, inputs, outputs), DEVIATION))
        self.bias = nnx.Param(jnp.zeros(outputs, jnp.float32))
        self.norm = nnx.data(batch_norm(outputs, rngs=rngs) if norm else None)
        self.stride = stride

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b y x o"]:
        """Return the layer's output."""
        y = transposed_conv(x, self.kernel[...], self.stride) + self.bias[...].reshape(1, 1, 1, -1)
        return y if self.norm is None else jax.nn.relu(self.norm(y))


def transposed_conv(
    x: Float[AnyArray, "b h w i"], kernel: Float[AnyArray, "3 3 i o"], stride: int
) -> Float[Array, "b y x o"]:
    """Return the transpose of a convolution 3x3 with padding "SAME", see `Deconv`."""
    batch, height, width, _ = x.shape
    inputs, outputs = kernel.shape[2:]
    delays = -(-3 // stride)
    spare = stride * delays - 3
    # [phase a, delay d] of the kernel's rows and columns is a + stride d
    padded = jnp.pad(kernel, ((0, spare), (0, spare), (0, 0), (0, 0)))
    phases: Any = padded.reshape(delays, stride, delays, stride, inputs, outputs)[::-1, :, ::-1]
    phases = phases.transpose(0, 2, 4, 1, 3, 5).reshape(delays, delays, inputs, -1)
    before = (delays - 1, 0)
    y = conv(x, phases, padding=(before, before))
    y = y.reshape(batch, height, width, stride, stride, outputs).transpose(0, 1, 3, 2, 4, 5)
    return y.reshape(batch, height * stride, width * stride, outputs)


def encoder_stage(
    inputs: int,
    outputs: int,
    size: int,
    strides: int,
    residuals: int,
    rngs: nnx.Rngs,
    *,
    norm: bool = True,
) -> Any:
    """Return a convolution and residual blocks, as a list of modules."""
    first = LeakyConv(inputs, outputs, size, strides, norm=norm, rngs=rngs)
    return nnx.List([first, *(LeakyResidual(outputs, size, rngs=rngs) for _ in range(residuals))])


def normal_linear(inputs: int, outputs: int, rngs: nnx.Rngs) -> nnx.Linear:
    """Return a linear layer with normal weights and biases of 0.1."""
    layer = nnx.Linear(
        inputs, outputs, kernel_init=lambda key, shape, dtype: jnp.zeros(shape, dtype), rngs=rngs
    )
    layer.kernel = nnx.Param(draw_normal(rngs, (inputs, outputs), DEVIATION))
    layer.bias = nnx.Param(jnp.full(outputs, 0.1, jnp.float32))
    return layer
