"""Metrics with their options, from texts such as `deletion(fill='black')`, functions or `Of`."""

from collections.abc import Callable
from functools import partial
from typing import Any

from salix import spec
from salix.measures.of import Of
from salix.metrics import METRICS
from salix.perturb.attacks import ATTACKS
from salix.perturb.partition import PARTITIONS
from salix.perturb.segmentation import SEGMENTATIONS


def as_metric(metric: "Of | str | Callable[..., Any]") -> Of:
    """Return a metric with its options: `Of`, a function, or a text as `parse_metric` reads it."""
    if isinstance(metric, str):
        return parse_metric(metric)
    return metric if isinstance(metric, Of) else Of(metric)


def parse_metric(text: str) -> Of:
    """Read a metric of `METRICS` with its options, such as `deletion(fill='black')` or `gini`.

    The option `name`, of every metric, is that of its column. Raises `InputError` as `Of` and
    `salix.spec.parse` do.
    """
    family = {name: partial(_with_options, info.function) for name, info in METRICS.items()}
    return spec.parse(text, family, {**SEGMENTATIONS, **PARTITIONS, **ATTACKS})


def metric_text(metric: Of) -> str:
    """Return a metric as `parse_metric` reads it; of a user's function, module and name."""
    options = [f"{key}={value!r}" for key, value in metric.options]
    name = [f"name={metric.name!r}"] if metric.name else []
    brackets = f"({', '.join([*name, *options])})" if name or options else ""
    return f"{metric.metric_name}{brackets}"


def _with_options(metric: Callable[..., Any], /, *, name: str = "", **options: Any) -> Of:
    return Of(metric, name, **options)
