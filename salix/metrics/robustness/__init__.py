"""Robustness: how much a map changes with its input."""

from salix.metrics.info import MetricInfo

__all__ = ["METRICS"]

METRICS: dict[str, MetricInfo] = {}
