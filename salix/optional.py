"""Import of packages that extras install."""

import importlib
from typing import Any

from salix.typing import InputError


def import_extra(module: str, package: str, extra: str) -> Any:
    """Return a module of an optional package.

    Raises `InputError`, with the `extra` of Salix to install, where it cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"{package} cannot be imported ({error}): pip install 'salix[{extra}]'"
        ) from None
