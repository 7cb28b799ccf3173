"""Parameters divided into arrays, and leaves that are no arrays, such as strings and functions."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from salix.typing import Params


def divide(params: Params) -> tuple[Params, Callable[[Params], Params]]:
    """Return a pytree with its arrays alone, and a function that puts the other leaves back.

    Other leaves (Python numbers, strings, functions, random keys) become None, as in Equinox's
    `partition`, and are constants of the model. A pytree of arrays is returned unchanged.
    """
    leaves, structure = jax.tree.flatten(params, is_leaf=_is_none)
    static = [None if is_array(leaf) else leaf for leaf in leaves]
    if all(leaf is None for leaf in static):
        return params, lambda arrays: arrays

    def combine(arrays: Params) -> Params:
        parts = jax.tree.leaves(arrays, is_leaf=_is_none)
        pairs = zip(parts, static, strict=True)
        return structure.unflatten([fixed if part is None else part for part, fixed in pairs])

    return structure.unflatten([leaf if is_array(leaf) else None for leaf in leaves]), combine


def is_array(leaf: Any) -> bool:
    """Return whether a leaf is an array of numbers or truth values."""
    if not isinstance(leaf, (jax.Array, np.ndarray, np.generic, jax.ShapeDtypeStruct)):
        return False
    return jnp.issubdtype(leaf.dtype, jnp.number) or jnp.issubdtype(leaf.dtype, jnp.bool_)


def _is_none(leaf: Any) -> bool:
    return leaf is None
