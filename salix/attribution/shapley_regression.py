"""Constrained least squares of Kernel SHAP, and the standard errors of its values."""

import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from salix.attribution.chunks import sum_chunks

ROWS = 256  # draws in one batch of the residuals: their matrices take little memory
SINGULAR = 1e-3  # 1 minus the leverage of a draw that alone decides a value, up to rounding


def weigh(
    present: Bool[Array, " n"], weight: float | Array, dtype: DTypeLike
) -> tuple[Float[Array, "n n"], Float[Array, " n"]]:
    """Return a coalition's term in the matrix of the normal equations, and its weighted flags."""
    z = present.astype(dtype)
    weighted = jnp.asarray(weight, dtype) * z
    return weighted[:, None] * z[None], weighted


def fit(
    gram: Float[Array, "n n"], moment: Float[Array, " n"], total: Array, used: Float[Array, " n"]
) -> tuple[Float[Array, " n"], Float[Array, "n n"]]:
    """Return the values that solve the normal equations, add up to a total, and are 0 if unused.

    The values are equal shares plus a vector that adds up to 0, the shortest of those that fit. The
    second result is the inverse of the equations among such vectors.
    """
    ones = used / used.sum()
    project = jnp.diag(used) - ones[:, None] * used[None]
    inner = _product(project, gram, project)
    rest = _product(project, moment - _product(gram, total * ones))
    shares, inverse = total * ones, jnp.linalg.pinv(inner, hermitian=True)
    return shares + _product(project, inverse, rest), inverse


def standard_errors(
    values: Float[Array, " n"],
    inverse: Float[Array, "n n"],
    present: Bool[Array, "draws members n"],
    changes: Float[Array, "draws members"],
) -> Float[Array, " n"]:
    r"""Return the standard errors of fitted values over other draws of the coalitions.

    $\sqrt{\sum_d (H^{-1} g_d)^2 / (1 - h_d)}$ over the draws d, each one coalition or one with its
    complement: $g_d = \sum_z z\,(f(x_z) - f(x_0) - \phi \cdot z)$ and the leverage
    $h_d = \sum_z z \cdot H^{-1} z$ are sums over the coalitions of a draw, and H is the matrix of
    the equations; `inverse` is $H^{-1}$ for weights of 1. Unbiased for residuals of equal variance.
    Draws without a coalition add nothing. NaN where a draw alone decides a value.

    HC2 of MacKinnon and White (1985), doi:10.1016/0304-4076(85)90158-7.
    """

    def square(draw: Array) -> Array:
        z = present[draw].astype(values.dtype)
        moves = _product(z, inverse)
        rest = 1 - (moves * z).sum()
        change = _product(changes[draw] - _product(z, values), moves)
        return change**2 / jnp.where(rest > SINGULAR, rest, jnp.nan)

    return jnp.sqrt(sum_chunks(square, len(present), chunk=ROWS))


def _product(*factors: Array) -> Array:
    return jnp.linalg.multi_dot(factors, precision=lax.Precision.HIGHEST)
