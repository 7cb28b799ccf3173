"""Products of tokens with matrices, in the precision that convolutions have."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.nn.conv import forms
from salix.nn.conv_forms import Plan, dot
from salix.typing import AnyArray


def linear(x: Float[AnyArray, "*b i"], matrix: Float[AnyArray, "i o"]) -> Float[Array, "*b o"]:
    r"""Return $y_o = \sum_i x_i m_{io}$, in the precision of `salix.models.precision`."""
    x, matrix = jnp.asarray(x), jnp.asarray(matrix)
    plan = Plan((), (), 1, forms()[1])
    return _dots(plan, x, matrix) if plan.precision == "bfloat16_dots" else dot(x, matrix, plan)


# The gradient that JAX derives multiplies float32 with bfloat16, for which CPUs have no units.
@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _dots(plan: Plan, x: Array, matrix: Array) -> Array:
    return dot(x, matrix, plan)


def _start(plan: Plan, x: Any, matrix: Any) -> tuple[Array, Any]:
    kept = (x.value if matrix.perturbed else None, matrix.value if x.perturbed else None)
    return dot(x.value, matrix.value, plan), kept


def _finish(plan: Plan, kept: Any, g: Any) -> tuple[Array | None, Array | None]:
    x, matrix = kept
    if isinstance(g, jax.custom_derivatives.SymbolicZero):
        return None, None
    by_x = None if matrix is None else dot(g, matrix, plan, along=1)
    # A sum over all tokens, for training: exact.
    by_matrix = None if x is None else jnp.einsum("...i,...o->io", x, g, precision="highest")
    return by_x, by_matrix


_dots.defvjp(_start, _finish, symbolic_zeros=True)


class Linear(nnx.Module):
    """A linear layer $x m + b$ of tokens, in the precision of `salix.models.precision`."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs):
        drawn = nnx.Linear(inputs, outputs, rngs=rngs)
        self.kernel = nnx.Param(drawn.kernel[...], dots=True)
        self.bias = nnx.Param(jnp.zeros(outputs, jnp.float32))

    def __call__(self, x: Float[AnyArray, "*b i"]) -> Float[Array, "*b o"]:
        """Return what the layer makes of each token."""
        y = linear(x, self.kernel[...])
        return y + self.bias[...].reshape((1,) * (y.ndim - 1) + (-1,))
