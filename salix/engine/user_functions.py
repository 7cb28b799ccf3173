"""Checks of functions and objects that users give as method, score or measure, and their names."""

import inspect
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from salix.store import describe
from salix.typing import InputError, Values

ARGUMENTS = {
    "attribution": ("score", "image", "key"),
    "score": ("logits",),
    "measure": ("explain", "image", "clean", "key"),
}


def check_function(role: str, function: Any) -> None:
    """Raise `InputError` for what cannot be called as an attribution, a score or a measure."""
    arguments = ARGUMENTS[role]
    call = f"({', '.join(arguments)})"
    remedy = f"give a frozen dataclass or a function that takes {call}"
    if isinstance(function, type):
        name = function.__name__
        raise InputError(f"the {role} {name} is a class: give an object of it, {name}(…)")
    if not callable(function):
        raise InputError(f"the {role} {function!r} is not callable: {remedy}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of a function in C
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        raise InputError(
            f"the {role} {name_of(function)} takes {signature}, it is called with {call}: {remedy}"
        ) from None


def name_of(function: Any) -> str:
    """Return the name of a function, or of an object's class, for messages."""
    return describe(function).partition("(")[0].rpartition(".")[2]


def check_score(value: Any, score: Any) -> Any:
    """Return the value of a score; raises `InputError` if it is not one number."""
    shape = getattr(value, "shape", None) if not isinstance(value, (int, float)) else ()
    if shape != ():
        what = type(value).__name__ if shape is None else f"an array of shape {shape}"
        raise InputError(
            f"the score {name_of(score)} returns {what}: return one number, for example logits[1]"
        )
    return value


def check_values(values: Any, measure: Any) -> Values:
    """Return the values of a measure as arrays; raises `InputError` for others.

    In the type that the measure's `columns` name, float32 without.
    """
    remedy = 'return a dictionary of numbers or small arrays by name, {"name": value}'
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        raise InputError(
            f"the measure {name_of(measure)} returns {type(values).__name__}: {remedy}"
        )
    dtypes = {c.name: c.dtype for c in getattr(measure, "columns", ())}
    arrays = {}
    for name, value in values.items():
        try:
            arrays[name] = jnp.asarray(value, dtypes.get(name, "float32"))
        except (TypeError, ValueError):
            if isinstance(value, (jax.Array, np.ndarray)):
                raise
            kind = type(value).__name__
            raise InputError(
                f"the measure {name_of(measure)} returns {kind} as {name!r}: {remedy}"
            ) from None
    return arrays
