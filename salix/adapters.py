"""Adapters: a `Model` and its parameters from a function, a Flax nnx or a Flax linen module."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from flax import nnx

from salix.model import Model, image_as_features
from salix.preprocess import Preprocess
from salix.typing import Params


def from_function(
    apply: Callable[[Params, Any], Any],
    params: Params = None,
    *,
    trunk: Callable[[Params, Any], Any] | None = None,
    preprocess: Preprocess = Preprocess(),
    classes: tuple[str, ...] = ("real", "fake"),
    name: str = "model",
) -> tuple[Model, Params]:
    """Return a `Model` of the pure function `apply(params, image) -> logits`, and `params`.

    The function takes one image, without a batch axis. With `trunk`, `apply` is the head: it takes
    `trunk(params, image)` in the place of the image.
    """
    model = Model(
        trunk or image_as_features, apply, preprocess=preprocess, classes=classes, name=name
    )
    return model, params


def from_nnx(
    module: nnx.Module,
    *,
    preprocess: Preprocess = Preprocess(),
    classes: tuple[str, ...] = ("real", "fake"),
    name: str = "model",
) -> tuple[Model, Params]:
    """Return a `Model` of a Flax nnx module that takes a batch, and the module's parameters.

    The module is copied, and evaluated without dropout and with frozen batch statistics. Its
    methods `trunk` and `head` divide it; without them all of it is the head. A tuple `cuts` names
    places that `trunk(x, cut=...)` and `head(features, cut=...)` accept; a method `tap` returns
    features and tapped features. See `Model`.
    """
    frozen = nnx.clone(module)
    frozen.eval()
    graph, params, rest = nnx.split(frozen, nnx.Any(nnx.Param, nnx.BatchStat), ...)

    def call(method: str | None, params: Params, x: Any, **cut: str) -> Any:
        merged: Any = nnx.merge(graph, params, rest)
        batch = (getattr(merged, method) if method else merged)(x[None], **cut)
        return jax.tree.map(lambda array: array[0], batch)

    functions = _functions(module, call)
    return Model(**functions, preprocess=preprocess, classes=classes, name=name), params


def from_linen(
    module: Any,
    variables: Params,
    *,
    preprocess: Preprocess = Preprocess(),
    classes: tuple[str, ...] = ("real", "fake"),
    name: str = "model",
) -> tuple[Model, Params]:
    """Return a `Model` of a Flax linen module that takes a batch, and its `variables`.

    `trunk`, `head`, `cuts` and `tap` as in `from_nnx`. The module is applied as it is: build it
    for evaluation, for example with `use_running_average=True`.
    """

    def call(method: str | None, variables: Params, x: Any, **cut: str) -> Any:
        batch = module.apply(variables, x[None], method=method, **cut)
        return jax.tree.map(lambda array: array[0], batch)

    functions = _functions(module, call)
    return Model(**functions, preprocess=preprocess, classes=classes, name=name), variables


def _functions(module: Any, call: Callable[..., Any]) -> dict[str, Any]:
    """Return the fields of `Model` that a module's methods provide: trunk, head, tap, cuts, ReLU.

    `call(method, params, image, **cut)` calls a method by name, None the module itself.
    """
    if not (hasattr(module, "trunk") and hasattr(module, "head")):
        return {"trunk": image_as_features, "head": partial(call, None)}
    return {
        "trunk": partial(call, "trunk"),
        "head": partial(call, "head"),
        "tap": partial(call, "tap") if hasattr(module, "tap") else None,
        "cuts": tuple(getattr(module, "cuts", ())),
        "inplace_relu": bool(getattr(module, "inplace_relu", False)),
    }
