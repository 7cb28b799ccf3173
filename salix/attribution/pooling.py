"""Channel pooling: from an attribution to a map."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.typing import AnyArray, InputError, Method


def _l2(a: Array) -> Array:
    # Scaled by the largest channel, so that the squares of small gradients do not vanish; the
    # inner `where` excludes the derivative of the square root at zero from the gradient. A norm
    # does not depend on the scale, nor does its gradient. `!= 0` lets NaN through.
    peak = jax.lax.stop_gradient(jnp.abs(a).max(-1))
    nonzero = peak != 0
    unit = jnp.where(nonzero, peak, 1)
    squares = ((a / unit[..., None]) ** 2).sum(-1)
    return jnp.where(nonzero, unit * jnp.sqrt(jnp.where(nonzero, squares, 1)), 0)


POOLINGS: dict[str, Callable[[Array], Array]] = {
    "abs_sum": lambda a: jnp.abs(a).sum(-1),
    "abs_max": lambda a: jnp.abs(a).max(-1),
    "l2": _l2,
    "signed_sum": lambda a: a.sum(-1),
    "positive": lambda a: jnp.maximum(a, 0).sum(-1),
}


def pool(attributions: Float[AnyArray, "*space c"], how: str = "abs_sum") -> Float[Array, "*space"]:
    r"""Pool the channels of an attribution into a map.

    With $a_c$ the values at one pixel: "abs_sum" $\sum |a_c|$, "abs_max" $\max |a_c|$, "l2"
    $\sqrt{\sum a_c^2}$, "signed_sum" $\sum a_c$, "positive" $\sum \max(a_c, 0)$. All but
    "signed_sum" are at least 0. "l2" is 0 at 0, with gradient 0. A NaN stays a NaN.
    Raises `InputError` for another `how`.
    """
    if how not in POOLINGS:
        raise InputError(f"unknown pooling {how!r}: choose one of {', '.join(POOLINGS)}")
    return POOLINGS[how](jnp.asarray(attributions))


def pooling_of(method: Method) -> str:
    """Return the pooling of a method: its own `pooling`, else the default "abs_sum"."""
    return getattr(method, "pooling", "abs_sum")
