"""Values that several layers read, computed once.

XLA on the CPU joins what it can with each of its readers, and computes it again in each: in a chain
of residual blocks each block would add up all blocks before it.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from salix.typing import AnyArray


@jax.custom_vjp
def relu(x: AnyArray) -> Array:
    """Return max(x, 0), written so that it is computed once and kept: NaN stays NaN.

    XLA computes again only what has a single large operand, as a maximum with 0 has. The sign of
    the result tells that of x, which need not be kept for the gradient.
    """
    x = jnp.asarray(x)
    return jnp.where(x <= 0, jnp.zeros((), x.dtype), x)


def _start(x: Array) -> tuple[Array, Any]:
    y = relu(x)
    return y, y


def _finish(y: Any, g: Array) -> tuple[Array]:
    return (jnp.where(y > 0, g, jnp.zeros((), g.dtype)),)


relu.defvjp(_start, _finish)


def once(x: Array) -> Array:
    """Return x [... c] with its first channel again at its end, [... c+1], computed once.

    XLA never joins what is put side by side in the last dimension with what reads it. (A barrier
    is gone before XLA joins, and what is cut off again at once is simplified away.)
    """
    return jnp.concatenate([x, x[..., :1]], axis=-1)
