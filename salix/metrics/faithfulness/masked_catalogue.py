"""Descriptions of the metrics of an image multiplied by its map."""

from collections.abc import Mapping
from typing import Any

from salix.metrics.faithfulness.curves import BLACK
from salix.metrics.faithfulness.masked_images import adcc, average_drop, increase
from salix.metrics.info import MetricInfo
from salix.typing import Passes


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
}  # fmt: skip
