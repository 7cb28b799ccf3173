"""Adapters of Flax nnx and Flax linen modules, evaluated as they are outside training."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import jax
from flax import nnx

from salix.adapters.convention import Convention
from salix.adapters.static_leaves import divide
from salix.model import Model, image_as_features
from salix.preprocess import Preprocess
from salix.typing import InputError, Params

EVALUATION = {
    "train": False,
    "training": False,
    "is_training": False,
    "deterministic": True,
    "inference": True,
    "use_running_average": True,
}


def from_nnx(
    module: nnx.Module,
    *,
    preprocess: Preprocess = Preprocess(),
    classes: tuple[str, ...] = ("real", "fake"),
    name: str = "model",
    batched: bool = True,
    channels_first: bool = False,
    output: str | int | None = None,
) -> tuple[Model, Params]:
    """Return a `Model` of a Flax nnx module that takes a batch, and the module's parameters.

    The module is copied and never changed. The copy is in evaluation mode: without dropout, with
    frozen batch statistics, and with `train=False` or `deterministic=True` where its methods take
    them; what it writes to its variables in a call is lost.

    Its methods `trunk` and `head` divide it; without them all of it is the head, but a
    `Sequential` can be divided behind each layer, `model.at("2")`. A tuple `cuts` names places that
    `trunk(x, cut=...)` and `head(features, cut=...)` accept; a method `tap` returns features and
    tapped features. See `Model`. `batched`, `channels_first` and `output` as in `from_function`.
    """
    if not isinstance(module, nnx.Module):
        raise InputError(
            f"{type(module).__name__} is no Flax nnx module: give it to from_linen, or a function "
            "of it to from_function"
        )
    frozen = nnx.clone(module)
    frozen.eval()
    graph, params, rest = nnx.split(frozen, nnx.Any(nnx.Param, nnx.BatchStat), ...)

    def merge(params: Params) -> Any:
        # New variables belong to the trace that merges them, and may be updated in it.
        return nnx.merge(graph, *jax.tree.map(lambda a: a, (params, rest)))

    def call(method: str | None, params: Params, x: Any, **cut: str) -> Any:
        merged = merge(params)
        function = getattr(merged, method) if method else merged
        return function(x, **cut, **_evaluation(module, method))

    def layers(part: str, params: Params, x: Any, *, cut: str | None = None) -> Any:
        stack = list(merge(params).layers)
        behind = 0 if cut is None else int(cut) + 1
        chosen = stack[:behind] if part == "trunk" else stack[behind:]
        return nnx.Sequential(*chosen)(x) if chosen else x

    convention = Convention(name, batched, channels_first, output)
    functions = _functions(module, call, convention)

    def layers_before(params: Params, x: Any, *, cut: str | None = None) -> Any:
        before = convention.trunk(partial(layers, "trunk"))
        return x if cut is None else before(params, x, cut=cut)

    if isinstance(module, nnx.Sequential) and functions["trunk"] is image_as_features:
        functions = {
            "trunk": layers_before,
            "head": convention.head(partial(layers, "head")),
            "cuts": tuple(str(i) for i in range(len(module.layers) - 1)),
        }
    return Model(**functions, preprocess=preprocess, classes=classes, name=name), params


def from_linen(
    module: Any,
    variables: Params,
    *,
    preprocess: Preprocess = Preprocess(),
    classes: tuple[str, ...] = ("real", "fake"),
    name: str = "model",
    batched: bool = True,
    channels_first: bool = False,
    output: str | int | None = None,
    apply_options: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Model, Params]:
    """Return a `Model` of a Flax linen module that takes a batch, and its `variables`.

    `trunk`, `head`, `cuts`, `tap` and the other options as in `from_nnx`. Where a method takes
    `train`, `training`, `deterministic` or `use_running_average` it is called for evaluation;
    `apply_options` are other arguments of `module.apply`, such as `rngs` and `mutable`, whose
    updates are lost. Raises `InputError` for variables without the collection "params".
    """
    if not hasattr(module, "apply"):
        raise InputError(f"{type(module).__name__} is no Flax linen module: it has no method apply")
    if isinstance(variables, Mapping) and variables and "params" not in variables:
        raise InputError(
            f"the variables of {name} are {', '.join(map(str, variables))}, without params: give "
            "all collections, {'params': params, 'batch_stats': …}"
        )
    arrays, combine = divide(variables)

    def call(method: str | None, variables: Params, x: Any, **cut: str) -> Any:
        options = {**_evaluation(module, method), **apply_options}
        result = module.apply(combine(variables), x, method=method, **cut, **options)
        return result[0] if options.get("mutable") else result

    functions = _functions(module, call, Convention(name, batched, channels_first, output))
    return Model(**functions, preprocess=preprocess, classes=classes, name=name), arrays


def _evaluation(module: Any, method: str | None) -> dict[str, bool]:
    """Return the arguments by which a module's method is called for evaluation."""
    names = inspect.signature(getattr(type(module), method or "__call__")).parameters
    return {name: value for name, value in EVALUATION.items() if name in names}


def _functions(module: Any, call: Callable[..., Any], convention: Convention) -> dict[str, Any]:
    """Return the fields of `Model` that a module's methods provide: trunk, head, tap, cuts, ReLU.

    `call(method, params, x, **cut)` calls a method by name, None the module itself.
    """
    if not (hasattr(module, "trunk") and hasattr(module, "head")):
        return {"trunk": image_as_features, "head": convention.head(partial(call, None))}
    return {
        "trunk": convention.trunk(partial(call, "trunk")),
        "head": convention.head(partial(call, "head")),
        "tap": convention.trunk(partial(call, "tap")) if hasattr(module, "tap") else None,
        "cuts": tuple(getattr(module, "cuts", ())),
        "inplace_relu": bool(getattr(module, "inplace_relu", False)),
    }
