"""Layers of volumes: convolution, transposed convolution, maximum pool, instance normalisation."""

import math

import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Array, Float

from salix.nn.conv3d import conv3d
from salix.nn.layers import draw_normal
from salix.typing import AnyArray

Volumes = Float[AnyArray, "b d h w c"]
SPACE = (1, 2, 3)


class Conv3d(nnx.Module):
    """3-D convolution by `salix.nn.conv3d.conv3d`, with `size` // 2 zeros around each volume."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        stride: int = 1,
        *,
        bias: bool = True,
        rngs: nnx.Rngs,
    ):
        deviation = math.sqrt(2 / (size**3 * inputs))
        self.kernel = nnx.Param(draw_normal(rngs, (size, size, size, inputs, outputs), deviation))
        self.bias = nnx.data(nnx.Param(jnp.zeros(outputs, jnp.float32)) if bias else None)
        self.size, self.stride = size, stride

    def __call__(self, x: Volumes) -> Float[Array, "b z y x o"]:
        """Return the convolution of volumes."""
        around = (self.size // 2, self.size // 2)
        pads, strides = (around, around, around), (self.stride, self.stride, self.stride)
        y = conv3d(x, self.kernel[...], strides=strides, padding=pads)
        return _add_bias(y, self.bias)


class Upsample3d(nnx.Module):
    """Transposed 3-D convolution with stride 2, to twice the size: `upsample3d`."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int = 3,
        cut: int = 0,
        *,
        bias: bool = False,
        rngs: nnx.Rngs,
    ):
        deviation = math.sqrt(2 / (size**3 * inputs / 8))
        self.kernel = nnx.Param(draw_normal(rngs, (size, size, size, outputs, inputs), deviation))
        self.bias = nnx.data(nnx.Param(jnp.zeros(outputs, jnp.float32)) if bias else None)
        self.cut = cut

    def __call__(self, x: Volumes) -> Float[Array, "b z y x o"]:
        """Return the volumes of twice the size."""
        y = upsample3d(x, self.kernel[...], self.cut)
        return _add_bias(y, self.bias)


def upsample3d(
    x: Volumes, kernel: Float[AnyArray, "t t t o c"], cut: int = 0
) -> Float[Array, "b z y x o"]:
    r"""Return the transposed convolution of stride 2, cut to twice the size.

    Along each axis of n voxels $y_m = \sum_{2i + t - c = m} x_i k_t$, m from 0 to 2n - 1, with c
    the voxels `cut` off at the front: 0 for "SAME" of TensorFlow with sizes 2 and 3, PyTorch's
    `padding` otherwise. The eight phases of the output are the channels of one convolution.
    """
    x, kernel = jnp.asarray(x), jnp.swapaxes(jnp.asarray(kernel), 3, 4)
    size = kernel.shape[0]
    # The voxel 2j + r of the output meets x_{j + (r + c - t) / 2} by the taps t of its parity.
    moves = {(t, (t + cut) % 2): ((t + cut) % 2 + cut - t) // 2 for t in range(size)}
    first, last = min(moves.values()), max(moves.values())
    for axis in (0, 2, 4):  # each axis of taps becomes the moves and the phases
        taps = jnp.split(kernel, size, axis)
        zero = jnp.zeros_like(taps[0])
        by_move = {(move, phase): taps[t] for (t, phase), move in moves.items()}
        phases = [
            jnp.concatenate([by_move.get((m, r), zero) for m in range(first, last + 1)], axis)
            for r in (0, 1)
        ]
        kernel = jnp.stack(phases, axis + 1)
    kernel = kernel.transpose(0, 2, 4, 6, 1, 3, 5, 7)  # moves, inputs, phases, outputs
    outputs, around = kernel.shape[-1], (-first, last)
    y = conv3d(x, kernel.reshape(*kernel.shape[:4], -1), padding=(around, around, around))
    b, d, h, w = x.shape[:4]
    y = y.reshape(b, d, h, w, 2, 2, 2, outputs).transpose(0, 1, 4, 2, 5, 3, 6, 7)
    return y.reshape(b, 2 * d, 2 * h, 2 * w, outputs)


def max_pool_halves(x: Volumes) -> Float[Array, "b z y x c"]:
    """Return the maximum over blocks of 2 x 2 x 2; equal values share the gradient."""
    x = jnp.asarray(x)
    for axis in SPACE:
        x = jnp.maximum(*_even_odd(x, axis))
    return x


def max_pool_3(x: Volumes) -> Float[Array, "b z y x c"]:
    """Return the maximum over 3 x 3 x 3 voxels around every second one, for even sides.

    Voxels outside do not count; equal values share the gradient.
    """
    x = jnp.asarray(x)
    for axis in SPACE:
        even, odd = _even_odd(x, axis)
        ends = [(0, 0, 0)] * 5
        ends[axis] = (1, -1, 0)
        before = lax.pad(odd, jnp.array(-jnp.inf, x.dtype), ends)
        x = jnp.maximum(jnp.maximum(even, odd), before)
    return x


def _even_odd(x: Array, axis: int) -> Array:
    """Return the even and the odd voxels along an axis of even length."""
    shape = (*x.shape[:axis], x.shape[axis] // 2, 2, *x.shape[axis + 1 :])
    return jnp.moveaxis(x.reshape(shape), axis + 1, 0)


def instance_norm(x: Volumes, epsilon: float = 1e-5) -> Float[Array, "b d h w c"]:
    r"""Return $(x - \mu) / \sqrt{v + \epsilon}$ with mean and variance of each volume's channel.

    Ulyanov, Vedaldi and Lempitsky (2016), arXiv:1607.08022, without scale and bias.
    """
    x = jnp.asarray(x)
    centred = x - _mean(x)
    return centred * lax.rsqrt(_mean(jnp.square(centred)) + epsilon)


def _add_bias(y: Array, bias: nnx.Param | None) -> Array:
    return y if bias is None else y + bias[...].reshape(1, 1, 1, 1, -1)


def _mean(x: Array) -> Array:
    return x.mean(SPACE, keepdims=True)
