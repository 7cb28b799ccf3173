"""The conditions of a measure, and the control condition of a randomly moved map."""

from collections.abc import Iterable

import jax
import jax.numpy as jnp

from salix.hyperparameters import Hyperparameter, choice, several
from salix.typing import Map, PRNGKey


def some_of(known: Iterable[str]) -> Hyperparameter:
    """Return the conditions of a measure: some of the known, each once."""
    names = tuple(known)
    return several(choice(names), remedy=f"give some of {', '.join(names)}, each once", unique=True)


def roll_map(map: Map, key: PRNGKey) -> Map:
    """Roll a map around by a random number of pixels along each axis, all equally likely.

    Its values and its texture are preserved; only their position is random.
    """
    shift = jax.random.randint(key, (map.ndim,), 0, jnp.array(map.shape))
    return jnp.roll(jnp.asarray(map), tuple(shift), tuple(range(map.ndim)))
