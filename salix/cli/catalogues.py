"""Catalogues of methods and metrics as plain records: source, cost, needs, range and summary."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from salix.typing import InputError, Passes

CatalogueRecord = dict[str, Any]  # of one method or metric, for JSON


def method_records(shape: Sequence[int]) -> list[CatalogueRecord]:
    """Return a record of each attribution method with the cost of an image of a shape [*space c].

    Costs and needs are those of the default settings.
    """
    from salix.attribution import METHODS
    from salix.attribution.catalogue import CATALOGUE

    return [_method_record(n, METHODS[n], info, shape) for n, info in CATALOGUE.items()]


def metric_records(shape: Sequence[int]) -> list[CatalogueRecord]:
    """Return a record of each metric with the cost of an image of a shape [*space c]."""
    from salix.metrics import METRICS

    return [_metric_record(name, info, shape) for name, info in METRICS.items()]


def chosen(records: Sequence[CatalogueRecord], key: str, text: str | None) -> list[CatalogueRecord]:
    """Return the records whose `key` is or contains a text, also in part; all for None.

    The text "none" chooses records without any. Raises `InputError` where the text fits no record.
    """
    if text is None:
        return list(records)
    values = {r["name"]: (r[key] if isinstance(r[key], list) else [r[key]]) for r in records}
    wanted = text.casefold()
    if wanted == "none":
        return [r for r in records if not any(values[r["name"]])]
    fitting = [r for r in records if any(wanted in v.casefold() for v in values[r["name"]])]
    if not fitting:
        known = sorted({v for each in values.values() for v in each if v})
        raise InputError(f"--{key} {text}: choose one of {', '.join(known)}, or a part of one")
    return fitting


def _method_record(name: str, kind: Any, info: Any, shape: Sequence[int]) -> CatalogueRecord:
    try:
        method = kind()
    except TypeError:  # with a field that has no default
        method = None
    return {
        "name": name,
        "title": info.title,
        "source": info.source,
        "family": info.family,
        "passes": _passes(getattr(method, "passes", None), tuple(shape)),
        "cost": info.cost,
        "needs": list(info.needs),
        "random": info.random,
        "axes": list(info.axes),
        "module": kind.__module__,
        "summary": _summary(kind),
    }


def _metric_record(name: str, info: Any, shape: Sequence[int]) -> CatalogueRecord:
    cost = info.passes and (lambda size: info.passes({}, size))
    return {
        "name": name,
        "title": info.title,
        "source": info.source,
        "group": info.group,
        "arguments": _arguments(info.function),
        "passes": _passes(cost or (lambda _: Passes()), tuple(shape)),
        "needs": list(info.needs),
        "score": info.score,
        "low": info.low,
        "high": info.high,
        "direction": info.direction,
        "presets": sorted(info.presets),
        "module": info.function.__module__,
        "summary": _summary(info.function),
    }


def _passes(passes: Callable[..., Passes] | None, shape: tuple[int, ...]) -> dict[str, int] | None:
    try:
        return None if passes is None else asdict(passes(shape))
    except InputError:  # images of such a shape are refused
        return None


def _arguments(function: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments that a function needs."""
    parameters = inspect.signature(function).parameters.values()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.kind in positional and p.default is p.empty]


def _summary(thing: Any) -> str:
    """Return the first paragraph of a docstring as one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
