"""Measure of any metric: of the map, of map and reference mask, of the score or of explanations."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from salix.hyperparameters import TEXT, check_value
from salix.metrics import METRICS, Curve, MetricInfo
from salix.metrics.explainer import as_explainer
from salix.metrics.faithfulness.curve_presets import FRACTIONS
from salix.metrics.presets import complete_options
from salix.metrics.resizing import resize_mask
from salix.typing import (
    Column,
    Explain,
    Explanation,
    Image,
    InputError,
    PRNGKey,
    Scalar,
    Score,
    Values,
)

OBJECTS = {  # by the number of required arguments
    1: "map",
    2: "map and reference mask",
    3: "the method's explanations",
    4: "score, image and map",
}


@dataclass(frozen=True, init=False, repr=False)
class Of:
    """A metric of the clean image's map, scaled to [0, 1], in the columns `name` or `map_metric`.

    The metric's number of required arguments decides how it is called: `metric(map)`; `metric(map,
    reference_mask)`, the mask resized to the map's grid as shares in [0, 1]; `metric(score, image,
    map, key)`, where the image is preprocessed and the score is the softmax probability of the
    clean image's target, or, if `MetricInfo.score` is "explained", the scalar that the map
    explains; metrics that need the attribution have it in the place of the map, as the method
    returned it, summed over its channels on another grid; or `metric(explain, image, key)`, where
    `explain` is an `Explainer` that explains the clean image's target. `options` are keyword
    arguments of the metric, `Of(iou, threshold=0.25)`. A metric returns a scalar, or a `Curve`:
    columns `name_values`, [fractions], and `name_area`. NaN where the map is constant, except from
    a metric of `explain`, which has a policy of its own, and where a required reference mask is
    missing.

    `METRICS` describes the metrics of Salix; a user's function is described by its name and its
    docstring's first line. Raises `InputError` for a `metric` that is not callable, takes another
    number of arguments or lacks an option, and for an option that a metric of Salix refuses.
    """

    metric: Callable[..., Any]
    name: str
    options: tuple[tuple[str, Any], ...]

    def __init__(self, metric: Any, name: str = "", **options: Any):
        if not callable(metric) or isinstance(metric, type):
            known = ", ".join(METRICS)
            raise InputError(f"{metric!r} is not a metric: give a function, or one of {known}")
        object.__setattr__(self, "metric", metric)
        object.__setattr__(self, "name", check_value("name", name, TEXT))
        if self.arity not in OBJECTS:
            raise InputError(
                f"{_name(metric)} requires {self.arity} arguments: give a metric(map), "
                "metric(map, reference_mask), metric(explain, image, key) or "
                "metric(score, image, map, key)"
            )
        try:
            inspect.signature(metric).bind(*range(self.arity), **options)
        except TypeError as error:
            signature = f"{_name(metric)}{inspect.signature(metric)}"
            raise InputError(f"{error}: the options are those of {signature}") from None
        info = METRICS.get(_name(metric))
        checks = {} if info is None else dict(info.options)
        checked = {
            k: check_value(k, v, checks[k]) if k in checks else v for k, v in options.items()
        }
        object.__setattr__(self, "options", tuple(checked.items()))

    def __repr__(self) -> str:
        name = [f"name={self.name!r}"] if self.name else []
        options = [f"{key}={value!r}" for key, value in self.options]
        return f"Of({', '.join([self.metric_name, *name, *options])})"

    @property
    def metric_name(self) -> str:
        """The name of a metric of Salix, else the module and name of a function."""
        return _name(self.metric)

    @property
    def needs_attribution(self) -> bool:
        """Whether the metric reads the attribution in the place of the map."""
        info = METRICS.get(self.metric_name)
        return info is not None and "attribution" in info.needs

    @property
    def arity(self) -> int:
        """The number of positional arguments that the metric requires."""
        positional = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
        return sum(
            parameter.kind in positional and parameter.default is parameter.empty
            for parameter in inspect.signature(self.metric).parameters.values()
        )

    @property
    def column(self) -> str:
        """The name of the column, or the prefix of the columns of a curve."""
        return self.name or f"map_{_name(self.metric).rpartition('.')[2]}"

    @property
    def columns(self) -> tuple[Column, ...]:
        """The description of the value, or of the curve and its area."""
        info = METRICS.get(_name(self.metric))
        if info is None:  # a user's function
            title = _name(self.metric).rpartition(".")[2].replace("_", " ").capitalize()
            first_line = (inspect.getdoc(self.metric) or "").partition("\n")[0].rstrip(".")
            info = MetricInfo(self.metric, title, first_line, None, None)
        settings = ", ".join(f"{key}={value!r}" for key, value in self.options)
        title = f"{info.title} ({settings})" if settings else info.title
        meaning = f"{title} of {OBJECTS[self.arity]}"
        meaning = f"{meaning} ({info.source})." if info.source else f"{title}."
        options = complete_options(info.presets, dict(self.options))
        # The better direction of a curve is that of the most salient pixels first.
        direction = info.direction if options.get("order", "most") == "most" else ""
        bounds = info.low, info.high
        if inspect.signature(self.metric).return_annotation is not Curve:
            return (Column(self.column, title, meaning, *bounds, direction),)
        # A curve over segments has as many steps as an image has segments.
        in_segments = bool(info.options) and "fractions" not in dict(info.options)
        axis = ("", ()) if in_segments else ("share of pixels", options.get("fractions", FRACTIONS))
        return (
            Column(f"{self.column}_values", title, meaning, *bounds, "", *axis),
            Column(f"{self.column}_area", f"{title}: area", meaning, *bounds, direction),
        )

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        result = self._compute(explain, image, clean, key)
        values = {self.column: result}
        if isinstance(result, Curve):
            values = {f"{self.column}_values": result.values, f"{self.column}_area": result.area}
        if self.arity == 3:
            return values
        defined = clean.map.max() > clean.map.min()
        return {name: jnp.where(defined, value, jnp.nan) for name, value in values.items()}

    def _compute(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Any:
        options = dict(self.options)
        if self.arity == 1:
            return self.metric(clean.map, **options)
        if self.arity == 2:
            if clean.reference_mask is None:
                return jnp.full((), jnp.nan, jnp.float32)
            mask = resize_mask(clean.reference_mask, clean.map)
            return self.metric(clean.map, mask, **options)
        explainer = replace(as_explainer(explain), target=clean.target)
        if self.arity == 3:
            return self.metric(explainer, image, key, **options)
        info = METRICS.get(_name(self.metric))
        explained = info is not None and info.score == "explained"

        def evaluate(image: Image) -> Scalar:
            if explained:
                return explainer.score(image, clean.target)
            return jax.nn.softmax(explainer(image, clean.target).logits)[clean.target]

        mean, std = np.broadcast_arrays(explainer.mean, explainer.std)
        black, white = (tuple(((pixel - mean) / std).tolist()) for pixel in (0, 1))
        map = clean.map
        if self.needs_attribution and (attribution := clean.attribution) is not None:
            map = attribution if attribution.shape == image.shape else attribution.sum(-1)
        return self.metric(Score(evaluate, black=black, white=white), image, map, key, **options)


def _name(metric: Callable[..., Any]) -> str:
    """Return the name of a metric of Salix, else the module and name of a function."""
    name = getattr(metric, "__name__", type(metric).__name__)
    if name in METRICS and METRICS[name].function is metric:
        return name
    return f"{metric.__module__}.{name}"
