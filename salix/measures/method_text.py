"""Names of attribution methods in columns and tables."""

from dataclasses import is_dataclass
from typing import Any

from salix.spec import abbreviate


def method_text(method: Any) -> str:
    """Return the text of a method without its default options; of a function module and name."""
    if is_dataclass(method):
        return " ".join(abbreviate(method).split())  # the text of an array has several lines
    name = getattr(method, "__qualname__", type(method).__qualname__)
    return f"{getattr(method, '__module__', '')}.{name}"
