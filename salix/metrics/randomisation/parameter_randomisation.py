"""Randomised parameters of a model: permuted arrays, or Gaussian ones of the same moments."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from salix.precision import widen
from salix.typing import Params, PRNGKey


def _permute(key: PRNGKey, weights: Float[Array, "..."]) -> Float[Array, "..."]:
    return jax.random.permutation(key, weights.ravel()).reshape(weights.shape)


def _gaussian(key: PRNGKey, weights: Float[Array, "..."]) -> Float[Array, "..."]:
    wide = widen(weights)
    drawn = wide.mean() + wide.std() * jax.random.normal(key, wide.shape, wide.dtype)
    # Of an array without negative values, such as variances, so that its root exists.
    drawn = jnp.where((wide >= 0).all(), jnp.abs(drawn), drawn)
    return drawn.astype(weights.dtype)


RANDOMISERS: dict[str, Callable[[PRNGKey, Float[Array, "..."]], Float[Array, "..."]]] = {
    "permutation": _permute,
    "gaussian": _gaussian,
}


def randomise(params: Params, places: Sequence[int], key: PRNGKey, randomiser: str) -> list[Any]:
    """Return the arrays of a pytree with those at some places randomised, each by its own key."""
    arrays = jax.tree.leaves(params)
    draw = RANDOMISERS[randomiser]
    for place in places:
        arrays[place] = draw(jax.random.fold_in(key, place), jnp.asarray(arrays[place]))
    return arrays


def choose_arrays(
    flags: Bool[Array, " arrays"], randomised: Sequence[Any], params: Params
) -> Params:
    """Return parameters whose flagged arrays are the randomised ones."""
    arrays, structure = jax.tree.flatten(params)
    chosen = [
        a if a is b else jnp.where(flags[i], b, a)
        for i, (a, b) in enumerate(zip(arrays, randomised, strict=True))
    ]
    return jax.tree.unflatten(structure, chosen)
