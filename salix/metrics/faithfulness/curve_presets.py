"""Presets of deletion and insertion: steps and replacements of the released codes."""

from collections.abc import Mapping
from typing import Any

FRACTIONS = tuple(i / 10 for i in range(11))
# The released code of RISE replaces 224 pixels a step of 224 x 224, by zeros in the model's input
# units, and restores an image from its blur. Xplique takes ten steps, rounding pixels down.
_ROWS = tuple(i / 224 for i in range(225))
_XPLIQUE = {"fractions": FRACTIONS, "fill": "black", "black": 0.0}
_DEFAULT = {"fractions": FRACTIONS, "fill": "blur", "black": 0.0}
DELETION: Mapping[str, Mapping[str, Any]] = {
    "default": _DEFAULT,
    "rise": {"fractions": _ROWS, "fill": "black", "black": 0.0},
    "xplique": _XPLIQUE,
}
INSERTION: Mapping[str, Mapping[str, Any]] = {
    "default": _DEFAULT,
    "rise": {"fractions": _ROWS, "fill": "kernel", "black": 0.0},
    "xplique": _XPLIQUE,
}
