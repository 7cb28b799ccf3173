"""Commands as plain data: dictionaries, lists, texts and numbers, for workers on other machines."""

from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints


def to_plain(command: Any) -> dict[str, Any]:
    """Return the options of a command as plain data."""
    return _plain(asdict(command))


def from_plain(kind: type, values: dict[str, Any]) -> Any:
    """Return the command of a class with the options that `to_plain` gives."""
    hints = get_type_hints(kind)
    return kind(**{name: _restored(hints[name], value) for name, value in values.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


def _restored(hint: Any, value: Any) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        return from_plain(hint, value)
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, str) and Path in (hint, *get_args(hint)):
        return Path(value)
    return value
