"""Randomisation: whether an attribution depends on the model's parameters and on the class."""

from collections.abc import Mapping
from typing import Any

from salix.hyperparameters import FLAG, choice, integer
from salix.metrics.comparison import SIMILARITY
from salix.metrics.info import MetricInfo
from salix.metrics.randomisation.model_randomisation import ORDERS, mprt
from salix.metrics.randomisation.parameter_randomisation import RANDOMISERS
from salix.metrics.randomisation.random_class import random_logit
from salix.metrics.randomisation.revised_tests import BINS, SHARE, efficient_mprt, smooth_mprt
from salix.metrics.samples import COUNT
from salix.typing import Passes

__all__ = ["METRICS", "efficient_mprt", "mprt", "random_logit", "smooth_mprt"]

_STAGES = 10


def _staged(options: Mapping[str, Any], shape: tuple[int, ...]) -> Passes:
    """Return the cost for a model of at least as many layers as there are stages."""
    del shape
    return Passes(explanations=1 + options.get("stages", _STAGES))


def _averaged(options: Mapping[str, Any], shape: tuple[int, ...]) -> Passes:
    return options.get("samples", 50) * _staged(options, shape)


def _two(options: Mapping[str, Any], shape: tuple[int, ...]) -> Passes:
    del options, shape
    return Passes(explanations=2)


_DRAW = (("randomiser", choice(RANDOMISERS)), ("seed", integer(0)))
_CASCADE = (
    ("order", choice(ORDERS)), ("stages", COUNT), ("depth", COUNT), ("similarity", SIMILARITY),
    ("absolute", FLAG), *_DRAW,
)  # fmt: skip
_ABOUT: dict[str, Any] = {"group": "randomisation"}
_SIMILAR: dict[str, Any] = {"low": -1, "high": 1, "direction": "lower", **_ABOUT}
_HEDSTROEM = "Hedstroem et al., 2023, arXiv:2401.06465"

METRICS: dict[str, MetricInfo] = {
    "mprt": MetricInfo(
        mprt, "Model parameter randomisation test", "Adebayo et al., 2018, arXiv:1810.03292",
        options=_CASCADE, passes=_staged, needs=("parameters",), **_SIMILAR,
    ),
    "smooth_mprt": MetricInfo(
        smooth_mprt, "Smooth model parameter randomisation test", _HEDSTROEM,
        options=(("samples", COUNT), ("noise", SHARE), *_CASCADE), passes=_averaged,
        needs=("parameters",), **_SIMILAR,
    ),
    "efficient_mprt": MetricInfo(
        efficient_mprt, "Efficient model parameter randomisation test", _HEDSTROEM, -1, None,
        "higher", (("bins", BINS), *_DRAW), passes=_two, needs=("parameters",), **_ABOUT,
    ),
    "random_logit": MetricInfo(
        random_logit, "Random logit", "Sixt et al., 2020, arXiv:1912.09818",
        options=(("similarity", SIMILARITY),), passes=_two, **_SIMILAR,
    ),
}  # fmt: skip
