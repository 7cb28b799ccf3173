"""Jinja templates of the pages: names are escaped, and an undefined one is an error."""

from pathlib import Path
from typing import Any


def template_environment(*folders: Path) -> Any:
    """Return the Jinja environment of the templates in some folders, the first one first."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
