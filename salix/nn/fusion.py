"""Values that several layers read, computed once.

XLA on the CPU joins what it can with each of its readers, and computes it again in each: in a chain
of residual blocks each block would add up all blocks before it.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from salix.nn.conv import forms
from salix.typing import AnyArray

MINUS_INFINITY = -0x80  # the bits of a bfloat16; those of lesser numbers are less, of NaN greater


def relu(x: AnyArray, convolved: bool = False) -> Array:
    """Return max(x, 0), computed once where convolutions are "explicit"; NaN stays NaN.

    In the precision "bfloat16_dots" its gradient has 16 bits, as the convolutions before it read
    it. What convolutions alone read, `convolved`, has 16 bits as well: the same numbers to them.
    """
    x, (form, policy) = jnp.asarray(x), forms()
    if form != "explicit":
        return jax.nn.relu(x)
    in_16_bits = policy == "bfloat16_dots"
    return _kept((in_16_bits and convolved, in_16_bits), x)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _kept(in_16_bits: tuple[bool, bool], x: Array) -> Array:
    return _start(in_16_bits, x)[0]


# XLA computes again what has a single large operand, as a maximum with 0 has; a choice has two. Of
# bfloat16 it makes float32 for that, and of 16 bits and 32 a slow loop: so they are chosen as bits.


def _start(in_16_bits: tuple[bool, bool], x: Array) -> tuple[Array, Array]:
    if in_16_bits[0]:
        bits = _bits(x)
        y = _rounded(jnp.where(bits <= MINUS_INFINITY, jnp.int16(0), bits), x)
    else:
        y = jnp.where(x <= 0, jnp.zeros((), x.dtype), x)
    return y, y  # its sign is that of x, which need not be kept


def _finish(in_16_bits: tuple[bool, bool], y: Array, g: Array) -> tuple[Array]:
    if in_16_bits[1]:
        return (_rounded(jnp.where(_bits(y) > 0, _bits(g), jnp.int16(0)), g),)
    return (jnp.where(y > 0, g, jnp.zeros((), g.dtype)),)


_kept.defvjp(_start, _finish)


def _bits(x: Array) -> Array:
    return lax.bitcast_convert_type(x.astype(jnp.bfloat16), jnp.int16)


def _rounded(bits: Array, like: Array) -> Array:
    return lax.bitcast_convert_type(bits, jnp.bfloat16).astype(like.dtype)


def once(x: Array) -> Array:
    """Return x [... c] with its first channel again at its end, [... c+1], computed once.

    XLA never joins what is put side by side in the last dimension with what reads it. (A barrier
    is gone before XLA joins, and what is cut off again at once is simplified away.)
    """
    return jnp.concatenate([x, x[..., :1]], axis=-1)
