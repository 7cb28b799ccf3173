"""Axioms: properties that an attribution method should have."""

from salix.metrics.info import MetricInfo

__all__ = ["METRICS"]

METRICS: dict[str, MetricInfo] = {}
