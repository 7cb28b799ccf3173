"""Values that several layers read, computed once.

XLA on the CPU joins what it can with each of its readers, and computes it again in each: in a chain
of residual blocks each block would add up all blocks before it.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from salix.models.conv import forms
from salix.typing import AnyArray


def relu(x: AnyArray) -> Array:
    """Return max(x, 0), computed once where convolutions are "explicit"; NaN stays NaN."""
    x = jnp.asarray(x)
    return _explicit(x) if forms()[0] == "explicit" else jax.nn.relu(x)


@jax.custom_vjp
def _explicit(x: Array) -> Array:
    return _rectified(x)


def _rectified(x: Array) -> Array:
    # XLA computes again what has a single large operand, as a maximum with 0 has; a choice has two.
    return jnp.where(x <= 0, jnp.zeros((), x.dtype), x)


def _start(x: Array) -> tuple[Array, Array]:
    y = _rectified(x)
    return y, y  # its sign is that of x, which need not be kept


def _finish(y: Array, g: Array) -> tuple[Array]:
    return (jnp.where(y > 0, g, jnp.zeros((), g.dtype)),)


_explicit.defvjp(_start, _finish)


def once(x: Array) -> Array:
    """Return x [... c] with its first channel again at its end, [... c+1], computed once.

    XLA never joins what is put side by side in the last dimension with what reads it. (A barrier
    is gone before XLA joins, and what is cut off again at once is simplified away.)
    """
    return jnp.concatenate([x, x[..., :1]], axis=-1)
