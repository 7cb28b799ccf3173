"""Conversion of hyper-parameters to plain Python numbers, so that their text parses back."""

from typing import Any

import numpy as np


def set_plain(method: Any, *fields: str) -> None:
    """Convert NumPy scalars in the named fields of a frozen dataclass, in its `__post_init__`."""
    for name in fields:
        object.__setattr__(method, name, _to_python(getattr(method, name)))


def _to_python(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_to_python(v) for v in value)
    return value.item() if isinstance(value, np.generic) else value
