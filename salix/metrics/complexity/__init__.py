"""Complexity: how concentrated a map is."""

from salix.hyperparameters import FLAG
from salix.metrics.complexity.concentration import gini
from salix.metrics.complexity.entropy import histogram_entropy, spatial_entropy
from salix.metrics.info import MetricInfo

__all__ = ["METRICS", "gini", "histogram_entropy", "spatial_entropy"]

_NORMALISE = (("normalise", FLAG),)

METRICS: dict[str, MetricInfo] = {
    "histogram_entropy": MetricInfo(
        histogram_entropy, "Histogram entropy", "Crum et al., 2023, arXiv:2303.11969", 0, 1,
        options=_NORMALISE, group="complexity",
    ),
    "spatial_entropy": MetricInfo(
        spatial_entropy, "Spatial entropy", "Bhatt et al., 2020, arXiv:2005.00631", 0, 1,
        options=_NORMALISE, group="complexity",
    ),
    "gini": MetricInfo(
        gini, "Gini coefficient", "Hurley and Rickard, 2009, arXiv:0811.4706", 0, 1,
        group="complexity",
    ),
}  # fmt: skip
