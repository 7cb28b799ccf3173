"""Robustness: how much an attribution changes with its input."""

from collections.abc import Mapping
from typing import Any

from salix.hyperparameters import FLAG, choice, optional
from salix.metrics.info import MetricInfo
from salix.metrics.presets import Presets, complete_options
from salix.metrics.robustness.relative_stability import (
    FLOOR,
    relative_input_stability,
    relative_output_stability,
    relative_representation_stability,
)
from salix.metrics.robustness.sensitivity import (
    LIPSCHITZ,
    SENSITIVITY,
    avg_sensitivity,
    local_lipschitz,
    max_sensitivity,
)
from salix.metrics.robustness.shared_explanations import (
    THRESHOLD,
    TOP,
    SharedExplanation,
    consistency,
    sufficiency,
)
from salix.metrics.robustness.translation import LEVEL, continuity
from salix.metrics.samples import COUNT, NOISES, RADIUS
from salix.typing import Passes

__all__ = [
    "DATASET_METRICS",
    "METRICS",
    "SharedExplanation",
    "avg_sensitivity",
    "consistency",
    "continuity",
    "local_lipschitz",
    "max_sensitivity",
    "relative_input_stability",
    "relative_output_stability",
    "relative_representation_stability",
    "sufficiency",
]


def _explained(default: int, name: str = "samples", presets: Presets | None = None) -> Any:
    """Return the cost of one explanation of the image and of each sample."""

    def passes(options: Mapping[str, Any], shape: tuple[int, ...]) -> Passes:
        del shape
        return Passes(explanations=1 + complete_options(presets or {}, options).get(name, default))

    return passes


def _features(options: Mapping[str, Any], shape: tuple[int, ...]) -> Passes:
    explained = _explained(200)(options, shape)
    return explained + Passes(evaluations=explained.explanations)


_YEH = "Yeh et al., 2019, arXiv:1901.09392"
_AGARWAL = "Agarwal et al., 2022, arXiv:2203.06877"
_SAMPLED = (("samples", optional(COUNT)), ("radius", optional(RADIUS)), ("chunk", COUNT))
_NEAR = (
    ("preset", choice(SENSITIVITY)),
    *_SAMPLED,
    ("normalise", FLAG),
)
_RELATIVE = (("samples", COUNT), ("radius", RADIUS), ("floor", FLOOR), ("chunk", COUNT))
_ABOUT: dict[str, Any] = {"low": 0, "high": None, "direction": "lower", "group": "robustness"}

METRICS: dict[str, MetricInfo] = {
    "max_sensitivity": MetricInfo(
        max_sensitivity, "Maximum sensitivity", _YEH, options=_NEAR, presets=SENSITIVITY,
        passes=_explained(0, presets=SENSITIVITY), **_ABOUT,
    ),
    "avg_sensitivity": MetricInfo(
        avg_sensitivity, "Average sensitivity", _YEH, options=_NEAR, presets=SENSITIVITY,
        passes=_explained(0, presets=SENSITIVITY), **_ABOUT,
    ),
    "local_lipschitz": MetricInfo(
        local_lipschitz, "Local Lipschitz estimate",
        "Alvarez-Melis and Jaakkola, 2018, arXiv:1806.08049",
        options=(("preset", choice(LIPSCHITZ)), *_SAMPLED, ("noise", optional(choice(NOISES)))),
        presets=LIPSCHITZ, passes=_explained(0, presets=LIPSCHITZ), **_ABOUT,
    ),
    "relative_input_stability": MetricInfo(
        relative_input_stability, "Relative input stability", _AGARWAL, options=_RELATIVE,
        passes=_explained(200), **_ABOUT,
    ),
    "relative_output_stability": MetricInfo(
        relative_output_stability, "Relative output stability", _AGARWAL, options=_RELATIVE,
        passes=_explained(200), **_ABOUT,
    ),
    "relative_representation_stability": MetricInfo(
        relative_representation_stability, "Relative representation stability", _AGARWAL,
        options=_RELATIVE, needs=("trunk",), passes=_features, **_ABOUT,
    ),
    "continuity": MetricInfo(
        continuity, "Continuity", "Montavon et al., 2018, arXiv:1706.07979",
        options=(("steps", COUNT), ("stride", COUNT), ("black", LEVEL)),
        passes=_explained(28, "steps"), **_ABOUT,
    ),
}  # fmt: skip

_DASGUPTA = "Dasgupta et al., 2022, arXiv:2202.00734"

# Functions of the maps and predictions of a data set, which no single image has.
DATASET_METRICS: dict[str, MetricInfo] = {
    "consistency": MetricInfo(
        consistency, "Consistency", _DASGUPTA, 0, 1, "higher", (("top", TOP),), group="robustness"
    ),
    "sufficiency": MetricInfo(
        sufficiency, "Sufficiency", _DASGUPTA, 0, 1, "higher", (("threshold", THRESHOLD),),
        group="faithfulness",
    ),
}  # fmt: skip
