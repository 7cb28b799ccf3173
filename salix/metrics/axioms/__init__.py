"""Axioms: properties that an attribution has for every model and input, or lacks."""

from collections.abc import Mapping
from math import prod
from typing import Any

from salix.hyperparameters import FLAG, choice
from salix.metrics.axioms.conservation import BASELINE, TOLERANCE, completeness
from salix.metrics.axioms.invariance import (
    REWRITINGS,
    SHIFT,
    implementation_invariance,
    input_invariance,
)
from salix.metrics.axioms.irrelevance import SMALL, non_sensitivity
from salix.metrics.info import MetricInfo
from salix.metrics.samples import COUNT
from salix.typing import Passes

__all__ = [
    "METRICS",
    "completeness",
    "implementation_invariance",
    "input_invariance",
    "non_sensitivity",
]


def _one_baseline(options: Mapping[str, Any], shape: tuple[int, ...]) -> Passes:
    del options, shape
    return Passes(explanations=1, evaluations=1)


def _each_pixel(options: Mapping[str, Any], shape: tuple[int, ...]) -> Passes:
    pixels = prod(shape[:-1])
    return Passes(explanations=1, evaluations=pixels * options.get("samples", 1))


def _two(options: Mapping[str, Any], shape: tuple[int, ...]) -> Passes:
    del options, shape
    return Passes(explanations=2)


_ABOUT: dict[str, Any] = {"low": 0, "high": None, "direction": "lower", "group": "axiom"}
_AXIOMS = "Sundararajan et al., 2017, arXiv:1703.01365"

METRICS: dict[str, MetricInfo] = {
    "completeness": MetricInfo(
        completeness, "Completeness residual", _AXIOMS, passes=_one_baseline,
        options=(
            ("baseline", BASELINE), ("relative", FLAG), ("signed", FLAG), ("tolerance", TOLERANCE)
        ), **_ABOUT,
    ),
    "non_sensitivity": MetricInfo(
        non_sensitivity, "Non-sensitivity", "Nguyen and Martinez, 2020, arXiv:2007.07584",
        passes=_each_pixel, options=(
            ("samples", COUNT), ("tolerance", SMALL), ("normalise", FLAG), ("chunk", COUNT)
        ), **_ABOUT,
    ),
    "input_invariance": MetricInfo(
        input_invariance, "Input invariance", "Kindermans et al., 2019, arXiv:1711.00867",
        passes=_two, options=(("shift", SHIFT),), **_ABOUT,
    ),
    "implementation_invariance": MetricInfo(
        implementation_invariance, "Implementation invariance", _AXIOMS, passes=_two,
        options=(("rewriting", choice(REWRITINGS)),), **_ABOUT,
    ),
}  # fmt: skip
