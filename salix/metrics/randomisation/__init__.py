"""Randomisation: whether a map depends on the parameters of the model."""

from salix.metrics.info import MetricInfo

__all__ = ["METRICS"]

METRICS: dict[str, MetricInfo] = {}
