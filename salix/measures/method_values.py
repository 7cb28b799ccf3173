"""Values of one metric of several attribution methods, on one image."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from salix.measures.of import Of
from salix.typing import Explainer, Explanation, Image, Map, PRNGKey, Values

PREFIX = "evaluation"


def column_name(metric: Of) -> str:
    """Return the column of a metric over the methods."""
    return f"{PREFIX}_{metric.name or metric.metric_name.rpartition('.')[2]}"


def values_together(
    metric: Of, explainer: Explainer, image: Image, explanations: list[Explanation], key: PRNGKey
) -> Values:
    """Return a metric of (score, image, map, key) for all maps, its shared passes once.

    Of a metric that needs the attribution, for all attributions of one shape.
    """
    groups: dict[Any, list[int]] = {}
    for i, explanation in enumerate(explanations):
        read = explanation.attribution if metric.needs_attribution else None
        groups.setdefault(jnp.shape(read) if read is not None else None, []).append(i)
    values: dict[str, list[Any]] = {}
    for shape, places in groups.items():
        maps = jnp.stack([explanations[i].map for i in places])
        several: list[Any] = [explanations[i].attribution for i in places]
        attributions = None if shape is None else jnp.stack(several)

        def evaluate(map: Map, attribution: Any) -> Values:
            one = replace(explanations[0], map=map, attribution=attribution)
            return _named(metric, metric(explainer, image, one, key))

        for name, results in jax.vmap(evaluate)(maps, attributions).items():
            stored = values.setdefault(name, [None] * len(explanations))
            for i, value in zip(places, results, strict=True):
                stored[i] = value
    return {name: jnp.stack(each) for name, each in values.items()}


def values_in_turn(
    metric: Of,
    explainers: list[Explainer],
    image: Image,
    explanations: list[Explanation],
    key: PRNGKey,
) -> Values:
    """Return a metric of each method's own map, or of its explainer."""
    each = [
        _named(metric, metric(by, image, explanation, key))
        for by, explanation in zip(explainers, explanations, strict=True)
    ]
    return {name: jnp.stack([values[name] for values in each]) for name in each[0]}


def _named(metric: Of, values: Values) -> Values:
    """Return the values of a metric under the names of the columns of an evaluation."""
    name = column_name(metric)
    if len(values) == 1:
        return {name: next(iter(values.values()))}
    return {
        name: values[f"{metric.column}_area"],
        f"{name}_values": values[f"{metric.column}_values"],
    }
