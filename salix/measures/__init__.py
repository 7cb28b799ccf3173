"""Measures of model salience: frozen dataclasses that return named numbers for one image.

`MEASURES` names them for `salix.spec`.
"""

from salix.measures.inside import Inside

__all__ = ["MEASURES", "Inside"]

MEASURES: dict[str, type] = {"Inside": Inside}
