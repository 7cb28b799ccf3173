"""Short texts of attribution methods: their options without those that have their default."""

from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import jax
import numpy as np


def method_text(method: Any) -> str:
    """Return the shortest text that is read as a method: its options without the default ones.

    Of a function its module and name.
    """
    if not is_dataclass(method):
        name = getattr(method, "__qualname__", type(method).__qualname__)
        return f"{getattr(method, '__module__', '')}.{name}"
    return f"{type(method).__name__}({', '.join(_options(method))})"


def _options(method: Any) -> Iterator[str]:
    for field in fields(method):
        value = getattr(method, field.name)
        if not field.init or _is_default(value, field):
            continue
        if is_dataclass(value) and callable(value):  # a method inside of another
            text = method_text(value)
        elif isinstance(value, (np.ndarray, jax.Array)):
            text = f"array{list(value.shape)}"
        else:
            text = " ".join(repr(value).split())
        yield f"{field.name}={text}"


def _is_default(value: Any, field: Any) -> bool:
    default = field.default if field.default_factory is MISSING else field.default_factory()
    if isinstance(value, (np.ndarray, jax.Array)) or type(value) is not type(default):
        return False
    return bool(value == default)
