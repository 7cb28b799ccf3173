"""Faithfulness: whether the score depends on the pixels that a map marks."""

from collections.abc import Callable, Mapping
from typing import Any

from salix.hyperparameters import choice, integer, optional
from salix.metrics.faithfulness.curve_presets import DELETION, INSERTION
from salix.metrics.faithfulness.curves import BLACK, Curve, deletion, insertion
from salix.metrics.faithfulness.information import (
    DatasetCurve,
    InformationCurve,
    information_curve,
    median_curve,
)
from salix.metrics.faithfulness.masked_images import adcc, average_drop, increase
from salix.metrics.faithfulness.pic import information_curves, random_pixels
from salix.metrics.faithfulness.ranking import ORDERS, RISING
from salix.metrics.faithfulness.replacement import REPLACEMENTS
from salix.metrics.faithfulness.scattered import interpolate_pixels
from salix.metrics.info import MetricInfo
from salix.metrics.presets import Presets, complete_options
from salix.typing import Passes

__all__ = [
    "METRICS",
    "Curve",
    "DatasetCurve",
    "InformationCurve",
    "adcc",
    "average_drop",
    "deletion",
    "increase",
    "information_curve",
    "information_curves",
    "insertion",
    "interpolate_pixels",
    "median_curve",
    "random_pixels",
]

_CURVE = (
    ("preset", choice(DELETION)),
    ("fractions", optional(RISING)),
    ("fill", optional(choice(REPLACEMENTS))),
    ("order", choice(ORDERS)),
    ("black", optional(BLACK)),
    ("chunk", integer(1)),
)


def _steps(presets: Presets) -> Callable[[Mapping[str, Any], tuple[int, ...]], Passes]:
    """Return the cost of a curve: a pass for each fraction."""
    return lambda options, _: Passes(len(complete_options(presets, options)["fractions"]))


def _masked(options: Mapping[str, Any], shape: tuple[int, ...]) -> Passes:
    del options, shape
    return Passes(evaluations=2)


def _explained_twice(options: Mapping[str, Any], shape: tuple[int, ...]) -> Passes:
    del options, shape
    return Passes(explanations=2)


_CHATTOPADHAY = "Chattopadhay et al., 2018, arXiv:1710.11063"
_LEVEL = (("black", BLACK),)

METRICS: dict[str, MetricInfo] = {
    "average_drop": MetricInfo(
        average_drop, "Average drop", _CHATTOPADHAY, 0, 1, "lower", _LEVEL,
        group="faithfulness", score="probability", passes=_masked,
    ),
    "increase": MetricInfo(
        increase, "Increase in confidence", _CHATTOPADHAY, 0, 1, "higher", _LEVEL,
        group="faithfulness", score="probability", passes=_masked,
    ),
    "adcc": MetricInfo(
        adcc, "ADCC", "Poppi et al., 2021, arXiv:2104.10252", 0, 1, "higher", _LEVEL,
        group="faithfulness", passes=_explained_twice,
    ),
    "deletion": MetricInfo(
        deletion, "Deletion", "Petsiuk et al., 2018, arXiv:1806.07421", 0, 1, "lower", _CURVE,
        group="faithfulness", score="probability", passes=_steps(DELETION), presets=DELETION,
    ),
    "insertion": MetricInfo(
        insertion, "Insertion", "Petsiuk et al., 2018, arXiv:1806.07421", 0, 1, "higher", _CURVE,
        group="faithfulness", score="probability", passes=_steps(INSERTION), presets=INSERTION,
    ),
}  # fmt: skip
