"""Layers that the architectures share."""

import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.core import Tracer
from jaxtyping import Array, Float

from salix.nn.conv import Padding, Pair, conv
from salix.nn.conv_forms import summed
from salix.nn.pool import avg_pool, max_pool
from salix.precision import Precision
from salix.typing import AnyArray, Params

__all__ = ["Conv", "avg_pool", "batch_norm", "held_in", "max_pool"]


def normal(rngs: nnx.Rngs, shape: tuple[int, ...], deviation: float) -> Array:
    """Return normal numbers, drawn on the host but in a program that is traced.

    JAX compiles its own generator once for each shape: most of the seconds that a large network
    took to make.
    """
    key = rngs.params()
    if isinstance(key, Tracer):
        return deviation * jax.random.normal(key, shape, jnp.float32)
    draw = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    return jnp.asarray(np.float32(deviation) * draw.standard_normal(shape, np.float32))


class Conv(nnx.Module):
    """A convolution of images, `salix.nn.conv.conv`, with its kernel [kh kw i/groups o].

    `size` and `strides` are one number or (height, width); `padding` is "SAME", one number for all
    sides or ((top, bottom), (left, right)). Kernels are drawn for ReLU with the fan out: normal
    with variance 2 / (kh kw o) (He et al., 2015, arXiv:1502.01852, sec. 2.2).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int | Pair,
        strides: int | Pair = 1,
        padding: Literal["SAME"] | int | tuple[Pair, Pair] = "SAME",
        groups: int = 1,
        bias: bool = False,
        *,
        rngs: nnx.Rngs,
    ):
        high, wide = (size, size) if isinstance(size, int) else size
        shape = (high, wide, inputs // groups, outputs)
        deviation = math.sqrt(2 * groups / (high * wide * outputs))
        dots = groups == 1 and summed(shape)
        self.kernel = nnx.Param(normal(rngs, shape, deviation), dots=dots)
        self.bias = nnx.data(nnx.Param(jnp.zeros(outputs, jnp.float32)) if bias else None)
        self.strides: Pair = (strides, strides) if isinstance(strides, int) else strides
        if isinstance(padding, int):
            padding = ((padding, padding), (padding, padding))
        self.padding: Padding = padding
        self.groups = groups

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b y x o"]:
        """Return the convolution of images."""
        y = conv(x, self.kernel[...], self.strides, self.padding, self.groups)
        return y if self.bias is None else y + self.bias[...].reshape(1, 1, 1, -1)


def held_in(policy: Precision, params: Params) -> Params:
    """Return parameters with kernels of Salix's layers in the bits that their products would read.

    Rounded once, and not in every pass: results are the same. `params` are those of a Flax nnx
    module; others are returned as they are.
    """
    if not policy.startswith("bfloat16"):
        return params

    def held(leaf: Any) -> Any:
        dots = leaf.get_metadata().get("dots") if isinstance(leaf, nnx.Variable) else None
        rounded = dots or (policy == "bfloat16" and dots is not None)
        return leaf.replace(leaf[...].astype(jnp.bfloat16)) if rounded else leaf

    return jax.tree.map(held, params, is_leaf=lambda leaf: isinstance(leaf, nnx.Variable))


def batch_norm(features: int, epsilon: float = 1e-5, *, rngs: nnx.Rngs) -> nnx.BatchNorm:
    r"""Return $(x - \mu) / \sqrt{v + \epsilon} \cdot \gamma + \beta$ of each channel.

    Running statistics move by 0.1 a step, as in PyTorch.
    """
    return nnx.BatchNorm(features, epsilon=epsilon, momentum=0.9, rngs=rngs)
