"""Linear layers of tokens, in the precision of the convolutions."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.nn.conv_forms import Plan, dot
from salix.precision import active_precision
from salix.typing import AnyArray


def linear(x: Float[AnyArray, "*b i"], matrix: Float[AnyArray, "i o"]) -> Float[Array, "*b o"]:
    r"""Return $y_o = \sum_i x_i m_{io}$, in the precision of `salix.precision`."""
    x, matrix = jnp.asarray(x), jnp.asarray(matrix)
    plan = Plan((), (), 1, active_precision())
    if plan.precision == "bfloat16_dots":
        return _bfloat16_dot(plan, x, matrix)
    return dot(x, matrix, plan)


# The gradient that JAX derives multiplies float32 with bfloat16, for which CPUs have no units.
@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _bfloat16_dot(plan: Plan, x: Array, matrix: Array) -> Array:
    return dot(x, matrix, plan)


def _bfloat16_dot_forward(plan: Plan, x: Any, matrix: Any) -> tuple[Array, Any]:
    residuals = (x.value if matrix.perturbed else None, matrix.value if x.perturbed else None)
    return dot(x.value, matrix.value, plan), residuals


def _bfloat16_dot_backward(plan: Plan, residuals: Any, g: Any) -> tuple[Array | None, Array | None]:
    x, matrix = residuals
    if isinstance(g, jax.custom_derivatives.SymbolicZero):
        return None, None
    by_x = None if matrix is None else dot(g, matrix, plan, axis=1)
    # A sum over all tokens, for training: exact.
    by_matrix = None if x is None else jnp.einsum("...i,...o->io", x, g, precision="highest")
    return by_x, by_matrix


_bfloat16_dot.defvjp(_bfloat16_dot_forward, _bfloat16_dot_backward, symbolic_zeros=True)


class Linear(nnx.Module):
    """Linear layer $x m + b$ of tokens, or without b, in the precision of `salix.precision`."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True, rngs: nnx.Rngs):
        drawn = nnx.Linear(inputs, outputs, rngs=rngs)
        self.kernel = nnx.Param(drawn.kernel[...], dots=True)
        self.bias = nnx.data(nnx.Param(jnp.zeros(outputs, jnp.float32)) if bias else None)

    def __call__(self, x: Float[AnyArray, "*b i"]) -> Float[Array, "*b o"]:
        """Return the output for each token."""
        y = linear(x, self.kernel[...])
        return y if self.bias is None else y + self.bias[...].reshape((1,) * (y.ndim - 1) + (-1,))
