"""Measure of several attribution methods by several metrics, on one image."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from salix.hyperparameters import Hyperparameter, check_fields, choice, integer, optional
from salix.measures.method_text import method_text
from salix.measures.method_values import PREFIX, column_name, values_in_turn, values_together
from salix.measures.metric_text import as_metric, metric_text
from salix.measures.of import Of
from salix.metrics import to_8_bit
from salix.metrics.explainer import as_explainer
from salix.metrics.resizing import shrink
from salix.typing import (
    Column,
    Explain,
    Explanation,
    GridMap,
    Image,
    InputError,
    Map,
    Method,
    PRNGKey,
    Values,
)

AXIS = "method"  # of every column of an evaluation
STORED = ("uint8", "float16", "float32")


def _plain_methods(value: Any) -> tuple[Method, ...]:
    methods = tuple(value) if isinstance(value, (tuple, list)) else ()
    for method in methods:
        if isinstance(method, type) or not callable(method):
            raise ValueError(method)
    if not methods:
        raise ValueError
    return methods


def _plain_metrics(value: Any) -> tuple[Of, ...]:
    if not isinstance(value, (tuple, list)) or not value:
        raise ValueError
    for metric in value:
        if not isinstance(metric, (str, Of)) and not callable(metric):
            raise ValueError(metric)
    return tuple(map(as_metric, value))


METHODS = Hyperparameter(_plain_methods, "give a tuple of one or more methods, as (GradCAM(),)")
METRICS = Hyperparameter(_plain_metrics, "give a tuple of one or more metrics, as (deletion, gini)")


@dataclass(frozen=True)
class Evaluation:
    """Every metric of the maps of every method, for the class of the clean image.

    `methods` are attribution methods, `metrics` functions, or `Of(metric, option=value)`; in a list
    of texts `deletion(fill='black')`. A metric is called as `Of` calls it, and its options and
    descriptions are those of `Of`. Metrics of the map, or of map and reference mask, get each
    method's map on its own grid. Metrics of (score, image, map, key) get all maps at once, enlarged
    linearly to the image, with one key: what does not depend on the map is computed once for all
    methods. They hold one perturbed image a method at once, whatever their number of steps. Metrics
    of (explain, image, key) explain by each method in turn. Logits, and a trunk that several
    methods read, are computed once.

    Returns `evaluation_metric` [method] for each metric; of a curve its area, and its values as
    `evaluation_metric_values` [method, step]; the option `name` of a metric replaces `metric`. And
    `evaluation_map` [method *grid], the methods' maps, each scaled by its own range, on the finest
    of their grids, averaged down to at most `side` a side, as `maps` "uint8", "float16" or
    "float32"; None stores none. NaN where a method's map is constant or not finite, and where the
    metric is.

    Raises `InputError` for no method or metric, two methods of one text, two metrics of one column,
    and a method whose map has other axes than the image.
    """

    methods: tuple[Method, ...]
    metrics: tuple[Any, ...]
    maps: str | None = "uint8"
    side: int = 64

    def __post_init__(self):
        check_fields(
            self,
            methods=METHODS,
            metrics=METRICS,
            maps=optional(choice(STORED)),
            side=integer(1),
        )
        texts = [method_text(m) for m in self.methods]
        if repeated := [t for t, n in Counter(texts).items() if n > 1]:
            raise InputError(f"methods has {repeated[0]} twice: give each method once")
        names = [column_name(m) for m in self.metrics]
        if repeated := [n for n, count in Counter(names).items() if count > 1]:
            one, two = [m for m, n in zip(self.metrics, names, strict=True) if n == repeated[0]][:2]
            raise InputError(
                f"{metric_text(one)} and {metric_text(two)} both write the column {repeated[0]}: "
                f"give one a name, as {two.metric_name}(name='other')"
            )

    @property
    def columns(self) -> tuple[Column, ...]:
        """The description of each metric over the methods, of curves, and of the maps."""
        methods = {"axis": AXIS, "coordinates": tuple(map(method_text, self.methods))}
        columns = []
        for metric in self.metrics:
            *values, last = metric.columns
            title, name = last.title.removesuffix(": area"), column_name(metric)
            columns.append(replace(last, name=name, title=title, dims=(AXIS,), **methods))
            for curve in values:  # its axis is that of the steps
                name, title = f"{column_name(metric)}_values", f"{title}: curve"
                columns.append(replace(curve, name=name, title=title, dims=(AXIS, curve.axis)))
        if self.maps is not None:
            top = 255 if self.maps == "uint8" else 1
            meaning = "The map of each method, scaled by its own least and greatest value."
            text = (f"{PREFIX}_map", "Maps of the methods", meaning, 0, top, "")
            dims = (AXIS, "y", "x")
            columns.append(Column(*text, *methods.values(), dims=dims, dtype=self.maps))
        return tuple(columns)

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        explainers = [as_explainer(explain).by(method) for method in self.methods]
        explanations = [
            replace(
                by(image, clean.target),
                reference_mask=clean.reference_mask,
                segments=clean.segments,
            )
            for by in explainers
        ]
        maps = [e.map for e in explanations]
        space = jnp.shape(image)[:-1]
        for method, map in zip(self.methods, maps, strict=True):
            if map.ndim != len(space):
                raise InputError(
                    f"the map of {method_text(method)} has shape {map.shape} and the image "
                    f"{space}: evaluate methods whose maps have the image's axes"
                )
        enlarged = jnp.stack([enlarge_linearly(map, space) for map in maps])
        values: dict[str, Any] = {}
        for i, metric in enumerate(self.metrics):
            own_key = jax.random.fold_in(key, i)
            if metric.arity == 4:
                each = [replace(e, map=map) for e, map in zip(explanations, enlarged, strict=True)]
                values |= values_together(metric, explainers[0], image, each, own_key)
            else:
                values |= values_in_turn(metric, explainers, image, explanations, own_key)
        return values | self._stored(maps)

    def _stored(self, maps: list[Any]) -> Values:
        if self.maps is None:
            return {}
        finest = tuple(max(sides) for sides in zip(*(map.shape for map in maps), strict=True))
        small = jnp.stack([shrink(enlarge_linearly(map, finest), self.side) for map in maps])
        stored = to_8_bit(small) if self.maps == "uint8" else small.astype(self.maps)
        return {f"{PREFIX}_map": stored}


def enlarge_linearly(map: GridMap, space: tuple[int, ...]) -> Map:
    """Return a map enlarged linearly to a space of as many axes."""
    return map if map.shape == space else jax.image.resize(map, space, "linear")
