"""Validation of a measure's settings, and the control condition of a randomly moved map."""

from collections.abc import Iterable

import jax
import jax.numpy as jnp

from salix.typing import InputError, Map, PRNGKey


def check_choice(name: str, value: str, known: Iterable[str]) -> None:
    """Raise `InputError` for a value that is not one of the known."""
    if value not in (names := tuple(known)):
        raise InputError(f"{name} is {value!r}: choose one of {', '.join(names)}")


def check_conditions(conditions: tuple[str, ...], known: Iterable[str]) -> None:
    """Raise `InputError` for conditions that are none, unknown or repeated."""
    names = tuple(known)
    repeated = len(set(conditions)) < len(conditions)
    if not conditions or set(conditions) - set(names) or repeated:
        raise InputError(f"conditions are {conditions}: give some of {', '.join(names)}, each once")


def roll_map(map: Map, key: PRNGKey) -> Map:
    """Roll a map around by a random number of pixels along each axis, all equally likely.

    Its values and its texture are preserved; only their position is random.
    """
    shift = jax.random.randint(key, (map.ndim,), 0, jnp.array(map.shape))
    return jnp.roll(jnp.asarray(map), tuple(shift), tuple(range(map.ndim)))
