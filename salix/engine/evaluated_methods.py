"""Methods and metrics of a sweep: the measure that evaluates them, checks and costs."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from salix.attribution import passes_of
from salix.engine.user_functions import check_function
from salix.measures import Evaluation, Of
from salix.measures.method_text import method_text
from salix.measures.method_values import column_name
from salix.measures.metric_text import metric_text
from salix.metrics import METRICS
from salix.metrics.faithfulness.curves import deletion, insertion
from salix.model import Model
from salix.typing import InputError, Measure, Method, Passes

MetricChoice = Sequence[Of | str | Callable[..., Any]]
# Of several methods without metrics; the last one only where the data has reference masks.
DEFAULT_METRICS: tuple[Of, ...] = (Of(deletion), Of(insertion), Of(METRICS["gini"].function))
MASK_METRIC = Of(METRICS["relevance_mass"].function)


def as_methods(attribution: Method | Sequence[Method] | None) -> tuple[Method, ...]:
    """Return one method, several or None as a tuple.

    Raises `InputError` for what is none, by the rules of `salix.engine.user_functions`.
    """
    if attribution is None:
        return ()
    several: Any = attribution
    methods = tuple(several) if isinstance(several, (list, tuple)) else (several,)
    if not methods:
        raise InputError("attribution has no method: give one or more, or None for the default")
    for method in methods:
        check_function("attribution", method)
    return methods


def evaluation_measures(
    methods: Sequence[Method],
    metrics: MetricChoice,
    *,
    reference_masks: bool,
    maps: str | None,
    side: int,
) -> tuple[Evaluation, ...]:
    """Return the measure that evaluates methods by metrics; none for one method without metrics.

    Several methods without metrics are evaluated by `DEFAULT_METRICS`, and `MASK_METRIC` where the
    data has reference masks.
    """
    if isinstance(metrics, (str, Of)) or callable(metrics):
        raise InputError(f"metrics is {metrics!r}: give a list, as [{metrics!r}]")
    if not metrics and len(methods) < 2:
        return ()
    chosen = metrics or (*DEFAULT_METRICS, *([MASK_METRIC] if reference_masks else []))
    return (Evaluation(tuple(methods), tuple(chosen), maps=maps, side=side),)


def check_evaluations(measures: Sequence[Measure], *, reference_masks: bool) -> None:
    """Raise `InputError` for a metric of reference masks, where the data has none."""
    for metric in (m for e in measures if isinstance(e, Evaluation) for m in e.metrics):
        if metric.arity == 2 and not reference_masks:
            raise InputError(
                f"the metric {metric_text(metric)} compares a map with a reference mask, and the "
                "data has none: give data with masks, such as a table of images with the column "
                "map, or leave the metric out"
            )


def evaluation_costs(measures: Sequence[Measure], model: Model) -> dict[str, Any]:
    """Return the passes of one image by method and by column of a metric, as JSON.

    None for what states no cost.
    """
    shape = (*model.preprocess.size, model.preprocess.channels)
    methods, metrics = {}, {}
    for evaluation in (m for m in measures if isinstance(m, Evaluation)):
        for method in evaluation.methods:
            methods[method_text(method)] = _method_cost(method, shape)
        for metric in evaluation.metrics:
            info = METRICS.get(metric.metric_name)
            passes = None if info is None else info.passes or (lambda *_: Passes())
            cost = None if passes is None else asdict(passes(dict(metric.options), shape))
            metrics[column_name(metric)] = cost
    return {"methods": methods, "metrics": metrics} if methods else {}


def _method_cost(method: Method, shape: tuple[int, ...]) -> dict[str, int] | None:
    """Return the passes of a method; None for one that states none, or not for every model."""
    try:
        return asdict(passes_of(method, shape))
    except InputError:  # that of ScoreCAM depends on the channels of the trunk
        return None
