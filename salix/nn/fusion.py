"""ReLU and copies that XLA computes once instead of once per reader.

On the CPU XLA fuses a value into each of its readers and computes it again in each: in a chain of
residual blocks, each block would add up all blocks before it.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from salix.nn.conv import active_form
from salix.precision import active_precision
from salix.typing import AnyArray

# The bits of a bfloat16; as int16, those of all other negative numbers are less, of NaN greater.
MINUS_INFINITY = -0x80


def relu(x: AnyArray, *, convolved: bool = False) -> Array:
    """Return max(x, 0), computed once where convolutions are "explicit"; NaN stays NaN.

    In "bfloat16_dots" its gradient has 16 bits, to which the convolution before it would round
    anyway. With `convolved`, for values that only convolutions read, so has its output.
    """
    x = jnp.asarray(x)
    if active_form() != "explicit":
        return jax.nn.relu(x)
    in_16_bits = active_precision() == "bfloat16_dots"
    return _relu((in_16_bits and convolved, in_16_bits), x)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _relu(in_16_bits: tuple[bool, bool], x: Array) -> Array:
    return _relu_forward(in_16_bits, x)[0]


# XLA recomputes operations with a single large operand, like a maximum with 0, but not a select
# between two. It would convert bfloat16 to float32 for the select, and a select of 16 and 32 bits
# becomes a slow loop: hence selects of the bits.


def _relu_forward(in_16_bits: tuple[bool, bool], x: Array) -> tuple[Array, Array]:
    if in_16_bits[0]:
        bits = _to_bits(x)
        y = _from_bits(jnp.where(bits <= MINUS_INFINITY, jnp.int16(0), bits), x)
    else:
        y = jnp.where(x <= 0, jnp.zeros((), x.dtype), x)
    return y, y  # the sign of y is that of x, which need not be stored


def _relu_backward(in_16_bits: tuple[bool, bool], y: Array, g: Array) -> tuple[Array]:
    if in_16_bits[1]:
        return (_from_bits(jnp.where(_to_bits(y) > 0, _to_bits(g), jnp.int16(0)), g),)
    return (jnp.where(y > 0, g, jnp.zeros((), g.dtype)),)


_relu.defvjp(_relu_forward, _relu_backward)


def _to_bits(x: Array) -> Array:
    return lax.bitcast_convert_type(x.astype(jnp.bfloat16), jnp.int16)


def _from_bits(bits: Array, like: Array) -> Array:
    return lax.bitcast_convert_type(bits, jnp.bfloat16).astype(like.dtype)


def materialise(x: Array) -> Array:
    """Return x [... c] with its first channel repeated at the end, [... c+1], computed once.

    XLA never fuses a concatenation of the last dimension into its readers. (An optimisation
    barrier is removed before fusion, and a channel that is cut off again at once is simplified
    away.)
    """
    return jnp.concatenate([x, x[..., :1]], axis=-1)
