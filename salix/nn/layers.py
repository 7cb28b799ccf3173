"""Convolution layer, batch normalisation and kernel rounding, shared by the architectures."""

import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.core import Tracer
from jaxtyping import Array, Float

from salix.nn.conv import Padding, conv
from salix.nn.conv_forms import Pair, suits_bfloat16_dots
from salix.precision import Precision
from salix.typing import AnyArray, Params


def draw_normal(rngs: nnx.Rngs, shape: tuple[int, ...], deviation: float) -> Array:
    """Return normal numbers, drawn by NumPy except under tracing.

    JAX compiles its generator once for each shape, which took most of the seconds of making a large
    network.
    """
    key = rngs.params()
    if isinstance(key, Tracer):
        return deviation * jax.random.normal(key, shape, jnp.float32)
    generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    return jnp.asarray(np.float32(deviation) * generator.standard_normal(shape, np.float32))


class Conv(nnx.Module):
    """Convolution layer: `salix.nn.conv.conv` with a kernel [kh kw i/groups o] and maybe a bias.

    `size` and `strides` are one number or (height, width); `padding` is "SAME", one number for all
    sides or ((top, bottom), (left, right)). Kernels are initialised for ReLU, fan-out: normal with
    variance 2 / (kh kw o) (He et al., 2015, arXiv:1502.01852, sec. 2.2).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int | Pair,
        strides: int | Pair = 1,
        padding: Literal["SAME"] | int | tuple[Pair, Pair] = "SAME",
        *,
        groups: int = 1,
        bias: bool = False,
        rngs: nnx.Rngs,
    ):
        height, width = (size, size) if isinstance(size, int) else size
        shape = (height, width, inputs // groups, outputs)
        deviation = math.sqrt(2 * groups / (height * width * outputs))
        dots = groups == 1 and suits_bfloat16_dots(shape)
        self.kernel = nnx.Param(draw_normal(rngs, shape, deviation), dots=dots)
        self.bias = nnx.data(nnx.Param(jnp.zeros(outputs, jnp.float32)) if bias else None)
        self.strides: Pair = (strides, strides) if isinstance(strides, int) else strides
        if isinstance(padding, int):
            padding = ((padding, padding), (padding, padding))
        self.padding: Padding = padding
        self.groups = groups

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b y x o"]:
        """Return the convolution of images."""
        y = conv(
            x,
            self.kernel[...],
            strides=self.strides,
            padding=self.padding,
            groups=self.groups,
        )
        return y if self.bias is None else y + self.bias[...].reshape(1, 1, 1, -1)


def flax_conv(
    inputs: int, outputs: int, size: int, *, strides: int = 1, rngs: nnx.Rngs
) -> nnx.Conv:
    """Return a layer of Flax, with its initial weights, that convolves by `salix.nn.conv.conv`."""
    sides = (size, size)
    return nnx.Conv(inputs, outputs, sides, strides, conv_general_dilated=_convolve, rngs=rngs)


def _convolve(
    x: Any, kernel: Any, strides: Any, padding: Any, *, feature_group_count: int, **options: Any
) -> Array:
    """Return the convolution that Flax asks for, with no dilation of `flax_conv`."""
    del options
    return conv(x, kernel, strides=tuple(strides), padding=padding, groups=feature_group_count)


def round_kernels(params: Params, precision: Precision) -> Params:
    """Return parameters whose kernels are rounded to the bits that a precision reads of them.

    Rounding once for a run instead of in each pass gives the same results. Only kernels of Salix's
    layers in the parameters of a Flax nnx module are rounded; other parameters are returned as
    they are.
    """
    if not precision.startswith("bfloat16"):
        return params

    def round_kernel(leaf: Any) -> Any:
        dots = leaf.get_metadata().get("dots") if isinstance(leaf, nnx.Variable) else None
        rounded = dots or (precision == "bfloat16" and dots is not None)
        return leaf.replace(leaf[...].astype(jnp.bfloat16)) if rounded else leaf

    return jax.tree.map(round_kernel, params, is_leaf=lambda leaf: isinstance(leaf, nnx.Variable))


def batch_norm(features: int, *, epsilon: float = 1e-5, rngs: nnx.Rngs) -> nnx.BatchNorm:
    r"""Return a layer $(x - \mu) / \sqrt{v + \epsilon} \cdot \gamma + \beta$ of each channel.

    Running statistics move by 0.1 a step, as in PyTorch.
    """
    return nnx.BatchNorm(features, epsilon=epsilon, momentum=0.9, rngs=rngs)
