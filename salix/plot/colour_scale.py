"""Colour scale of one map or several: its ends, its kind, and the sentence that is printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from salix.typing import InputError


@dataclass(frozen=True)
class ColourScale:
    """Range of values that colours stand for; values beyond it have the colour of its end.

    A `signed` scale diverges from a neutral colour at zero and is symmetric, low = -high; another
    one is sequential. `label` is printed beside the colour bar, which ends in a point where
    `extend` says that values are clipped.
    """

    low: float
    high: float
    signed: bool
    label: str = ""
    extend: Literal["neither", "min", "max", "both"] = "neither"


def choose_scale(
    maps: Sequence[np.ndarray],
    *,
    signed: bool | None = None,
    percentile: float = 99.0,
    unit: str = "",
) -> ColourScale:
    r"""Return the colour scale that maps share.

    A signed one runs from $-v$ to $v$, where $v$ is the `percentile` of $|a|$ over all values of
    all maps; an unsigned one from 0 to the percentile of $a$ (from the complementary percentile,
    where there are values below 0). `signed` None: signed where a value is below 0. The label names
    the `unit`, the percentile and its value wherever something is clipped. Raises `InputError` for
    a percentile outside (0, 100].
    """
    if not 0 < percentile <= 100:
        raise InputError(f"percentile is {percentile}: give more than 0, and 100 to clip nothing")
    values = np.concatenate([np.asarray(m, np.float64).ravel() for m in maps] or [np.zeros(1)])
    signed = bool(values.min() < 0) if signed is None else signed
    high = float(np.percentile(np.abs(values) if signed else values, percentile))
    # Of a map with few pixels other than zero the percentile is zero: nothing is clipped then.
    high = high if high > 0 else float(np.abs(values).max() if signed else values.max())
    low = -high if signed else min(0.0, float(np.percentile(values, 100 - percentile)))
    if not low < high:
        high = low + 1.0
    above, below = bool(values.max() > high), bool(values.min() < low)
    extend = "both" if above and below else "max" if above else "min" if below else "neither"
    ends = f"|values| beyond {high:.3g}" if signed else f"values above {high:.3g}"
    if not signed and below:
        ends = f"values outside {low:.3g} to {high:.3g}"
    clipped = f"{ends}, the {percentile:g}th percentile, are clipped" if above or below else ""
    return ColourScale(low, high, signed, ": ".join(filter(None, (unit, clipped))), extend)


def relative(map: np.ndarray, percentile: float) -> np.ndarray:
    """Return a map over the percentile of its own magnitudes, so that maps of any unit compare."""
    magnitude = np.abs(map)
    top = float(np.percentile(magnitude, percentile)) or float(magnitude.max())
    return map / top if top > 0 else map
