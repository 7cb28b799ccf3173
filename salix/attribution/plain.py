"""Hyper-parameters as plain Python numbers, so that their text reads back."""

from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return a NumPy scalar as the Python number that it is, a tuple of them likewise."""
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    return value.item() if isinstance(value, np.generic) else value


def make_plain(method: Any, *fields: str) -> None:
    """Make the named fields of a frozen dataclass plain, while it is being made."""
    for name in fields:
        object.__setattr__(method, name, plain(getattr(method, name)))
