"""Faithfulness: whether the score depends on the pixels that a map marks."""

from collections.abc import Mapping
from typing import Any

from salix.hyperparameters import choice, integer
from salix.metrics.faithfulness.curves import BLACK, FRACTIONS, Curve, deletion, insertion
from salix.metrics.faithfulness.information import (
    DatasetCurve,
    InformationCurve,
    information_curve,
    median_curve,
)
from salix.metrics.faithfulness.pic import information_curves, random_pixels
from salix.metrics.faithfulness.ranking import ORDERS, RISING
from salix.metrics.faithfulness.scattered import interpolate_pixels
from salix.metrics.info import MetricInfo
from salix.perturb.fills import FILLS
from salix.typing import Passes

__all__ = [
    "METRICS",
    "Curve",
    "DatasetCurve",
    "InformationCurve",
    "deletion",
    "information_curve",
    "information_curves",
    "insertion",
    "interpolate_pixels",
    "median_curve",
    "random_pixels",
]

_CURVE = (
    ("fractions", RISING),
    ("fill", choice(FILLS)),
    ("order", choice(ORDERS)),
    ("black", BLACK),
    ("chunk", integer(1)),
)


def _steps(options: Mapping[str, Any], shape: tuple[int, ...]) -> Passes:
    del shape
    return Passes(evaluations=len(options.get("fractions", FRACTIONS)))


METRICS: dict[str, MetricInfo] = {
    "deletion": MetricInfo(
        deletion, "Deletion", "Petsiuk et al., 2018, arXiv:1806.07421", 0, 1, "lower", _CURVE,
        group="faithfulness", score="probability", passes=_steps,
    ),
    "insertion": MetricInfo(
        insertion, "Insertion", "Petsiuk et al., 2018, arXiv:1806.07421", 0, 1, "higher", _CURVE,
        group="faithfulness", score="probability", passes=_steps,
    ),
}  # fmt: skip
