"""Complexity: how concentrated a map is."""

from salix.hyperparameters import FLAG
from salix.metrics.complexity.concentration import gini
from salix.metrics.complexity.effective import EPSILON, effective_complexity
from salix.metrics.complexity.entropy import UNIT, histogram_entropy, spatial_entropy
from salix.metrics.complexity.variation import total_variation
from salix.metrics.info import MetricInfo

__all__ = [
    "METRICS",
    "effective_complexity",
    "gini",
    "histogram_entropy",
    "spatial_entropy",
    "total_variation",
]

_NORMALISE = (("normalise", FLAG),)

METRICS: dict[str, MetricInfo] = {
    "histogram_entropy": MetricInfo(
        histogram_entropy, "Histogram entropy", "Crum et al., 2023, arXiv:2303.11969", 0, 1,
        options=_NORMALISE, group="complexity",
    ),
    "spatial_entropy": MetricInfo(
        spatial_entropy, "Spatial entropy", "Bhatt et al., 2020, arXiv:2005.00631", 0, 1,
        options=(*_NORMALISE, ("unit", UNIT)), group="complexity",
    ),
    "gini": MetricInfo(
        gini, "Gini coefficient", "Hurley and Rickard, 2009, arXiv:0811.4706", 0, 1,
        group="complexity",
    ),
    "effective_complexity": MetricInfo(
        effective_complexity, "Effective complexity",
        "Nguyen and Martinez, 2020, arXiv:2007.07584", 0, None, "lower",
        (("eps", EPSILON), *_NORMALISE), group="complexity",
    ),
    "total_variation": MetricInfo(
        total_variation, "Total variation",
        "Rudin et al., 1992, doi:10.1016/0167-2789(92)90242-F", 0, 1, "lower",
        options=_NORMALISE, group="complexity",
    ),
}  # fmt: skip
