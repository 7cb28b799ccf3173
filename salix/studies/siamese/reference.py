"""Search of a reference whose embedding is about 0."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from salix.typing import AnyArray

STEPS, RATE = 300, 0.03


def search_reference(
    head: Callable[[Array], Array], start: Float[AnyArray, "*space w"]
) -> Float[Array, "*space w"]:
    r"""Return features near `start` whose embedding is close to 0, by 300 steps of Adam.

    Minimises $|e(r)|^2$ relative to that of the start; the features of smallest $|e(r)|$ among the
    steps are returned, so that the terms f(r_a, b), f(a, r_b) and f(r_a, r_b) are small for an
    encoder without a shift. One pass forwards and one backwards for each step.
    """
    start = jnp.asarray(start)
    scale = jnp.sum(head(start) ** 2)
    optimiser = optax.adam(optax.cosine_decay_schedule(RATE, STEPS))
    gradient = jax.value_and_grad(lambda r: jnp.sum(head(r) ** 2) / scale)

    def step(state: Any, _: None) -> tuple[Any, None]:
        r, moments, best, smallest = state
        loss, slope = gradient(r)
        best = jnp.where(loss < smallest, r, best)
        change, moments = optimiser.update(slope, moments)
        return (optax.apply_updates(r, change), moments, best, jnp.minimum(loss, smallest)), None

    first: Any = (start, optimiser.init(start), start, jnp.asarray(jnp.inf, start.dtype))
    return jax.lax.scan(step, first, length=STEPS)[0][2]
