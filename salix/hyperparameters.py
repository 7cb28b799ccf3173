"""Checked hyper-parameters: type and range of the fields of a frozen dataclass.

A class checks its fields in `__post_init__` by `check_fields(self, samples=integer(1), …)`. Values
become plain Python objects, so that their text parses back: NumPy and JAX scalars numbers, lists
tuples. A bool is not a number, and NaN and infinity are none.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from salix.typing import InputError


@dataclass(frozen=True)
class Hyperparameter:
    """Values that a hyper-parameter may have.

    `plain(value)` returns a value as plain Python, and raises `ValueError` for an unusable one;
    `remedy` finishes the message of the error.
    """

    plain: Callable[[Any], Any]
    remedy: str


def check_fields(instance: Any, **fields: Hyperparameter) -> None:
    """Replace fields of a frozen dataclass by plain values; `InputError` for an unusable one."""
    for name, hyperparameter in fields.items():
        value = check_value(name, getattr(instance, name), hyperparameter)
        object.__setattr__(instance, name, value)


def settings_text(self: Any) -> str:
    """Return a dataclass as the text of its call: a `__repr__` without unused later fields.

    A field with the metadata `described="changed"` was added after runs had been written: the text
    of an instance that does not use it stays as it was.
    """
    shown = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if is_described(f, self)]
    return f"{type(self).__name__}({', '.join(shown)})"


def is_described(field: Any, instance: Any) -> bool:
    """Return whether a field belongs to the text of a dataclass, by its metadata `described`."""
    rule = field.metadata.get("described", True)
    return getattr(instance, field.name) != field.default if rule == "changed" else rule


def check_value(name: str, value: Any, hyperparameter: Hyperparameter) -> Any:
    """Return a value as plain Python; `InputError` names the value and what to give instead."""
    try:
        return hyperparameter.plain(value)
    except ValueError as error:  # its argument is the unusable item of a tuple
        verb, culprit = ("has", error.args[0]) if error.args else ("is", value)
        text = " ".join(repr(culprit).split())
        text = text if len(text) <= 80 else f"{text[:77]}..."
        raise InputError(f"{name} {verb} {text}: {hyperparameter.remedy}") from None


def _scalar(value: Any) -> Any:
    """Return a NumPy or JAX array without axes as a Python number."""
    is_array = isinstance(value, (np.ndarray, np.generic, jax.Array))
    concrete = is_array and not isinstance(value, Tracer)
    return value.item() if concrete and value.shape == () else value


def integer(low: int, high: int | None = None, *, remedy: str = "") -> Hyperparameter:
    """Return the whole numbers of a range, both ends included."""
    limits = f"{low} or more" if high is None else f"from {low} to {high}"
    plain = partial(_plain_integer, low, high)
    return Hyperparameter(plain, remedy or f"give a whole number, {limits}")


def _plain_integer(low: int, high: int | None, value: Any) -> int:
    number = _scalar(value)
    if type(number) is not int or number < low or (high is not None and number > high):
        raise ValueError
    return number


def number(
    within: Callable[[float], bool] = math.isfinite,
    *,
    remedy: str = "give a finite number",
    traced: bool = False,
) -> Hyperparameter:
    """Return the finite numbers for which `within` is true; unchecked where they are traced."""
    return Hyperparameter(partial(_plain_number, within, traced), remedy)


def _plain_number(within: Callable[[float], bool], traced: bool, value: Any) -> Any:
    if traced and isinstance(value, Tracer) and value.shape == ():
        return value
    number = _scalar(value)
    if type(number) not in (int, float) or not math.isfinite(number) or not within(number):
        raise ValueError
    return number


def choice(names: Collection[str]) -> Hyperparameter:
    """Return one of some names."""
    return Hyperparameter(partial(_plain_choice, names), f"choose one of {', '.join(names)}")


def _plain_choice(names: Collection[str], value: Any) -> str:
    if not isinstance(value, str) or value not in names:
        raise ValueError
    return str(value)


def several(
    item: Hyperparameter, *, remedy: str, low: int = 1, unique: bool = False
) -> Hyperparameter:
    """Return tuples of at least `low` items; lists and arrays of one axis become tuples."""
    return Hyperparameter(partial(_plain_tuple, item, low, unique), remedy)


def _plain_tuple(item: Hyperparameter, low: int, unique: bool, value: Any) -> tuple[Any, ...]:
    is_array = isinstance(value, (np.ndarray, jax.Array)) and value.ndim == 1
    if not (is_array or isinstance(value, (tuple, list))) or len(value) < low:
        raise ValueError
    items = []
    for part in value:
        try:
            items.append(item.plain(part))
        except ValueError:
            raise ValueError(part) from None
    if unique and len(set(items)) < len(items):
        raise ValueError
    return tuple(items)


def either(first: Hyperparameter, second: Hyperparameter, *, remedy: str) -> Hyperparameter:
    """Return the values of two hyper-parameters."""
    return Hyperparameter(partial(_plain_either, first, second), remedy)


def _plain_either(first: Hyperparameter, second: Hyperparameter, value: Any) -> Any:
    try:
        return first.plain(value)
    except ValueError:
        return second.plain(value)


def optional(item: Hyperparameter, *, remedy: str = "") -> Hyperparameter:
    """Return a hyper-parameter that may also be None."""
    return Hyperparameter(partial(_plain_optional, item), remedy or f"{item.remedy}, or None")


def _plain_optional(item: Hyperparameter, value: Any) -> Any:
    return None if value is None else item.plain(value)


def instance(kind: type, *, remedy: str) -> Hyperparameter:
    """Return the instances of a class."""
    return Hyperparameter(partial(_plain_instance, kind), remedy)


def _plain_instance(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(_scalar(value), bool):
        raise ValueError
    return bool(value)


FLAG = Hyperparameter(_flag, "give True or False")
OPTIONAL_FLAG = optional(FLAG)
TEXT = instance(str, remedy="give a text")
WINDOW = integer(2, remedy="give a whole number, at least 2 pixels")
