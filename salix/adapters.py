"""Models from functions, Flax nnx modules and Flax linen modules."""

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from salix.model import Model
from salix.typing import Params, identity


def from_function(
    apply: Callable[[Params, Any], Any],
    trunk: Callable[[Params, Any], Any] | None = None,
    **about: Any,
) -> Model:
    """Make a `Model` of a pure function `apply(params, image) -> logits`, one image at a time.

    With `trunk` given, `apply` is the head and takes `trunk(params, image)`. `about` holds
    `preprocess`, `classes` and `name`.
    """
    return Model(trunk or (lambda _, image: identity(image)), apply, **about)


def from_nnx(module: nnx.Module, **about: Any) -> tuple[Model, Params]:
    """Make a `Model` and its parameters of a Flax nnx module that takes a batch.

    The module is used as it is in evaluation, and is not changed. Methods `trunk` and `head` give
    the cut; a module without them is all head. Beside them a method `tap` may give features and
    tapped features. `about`: `preprocess`, `classes`, `name`.
    """
    frozen = nnx.clone(module)
    frozen.eval()
    graph, params, rest = nnx.split(frozen, nnx.Any(nnx.Param, nnx.BatchStat), ...)

    def call(name: str | None) -> Callable[[Params, Any], Any]:
        def function(params: Params, x: Any) -> Any:
            built: Any = nnx.merge(graph, params, rest)
            out = (getattr(built, name) if name else built)(x[None])
            return jax.tree.map(lambda batch: batch[0], out)

        return function

    return _cut(module, call, about), params


def from_linen(module: Any, **about: Any) -> Model:
    """Make a `Model` of a Flax linen module that takes a batch; its parameters are the variables.

    Methods `trunk` and `head` give the cut; a module without them is all head. Beside them a
    method `tap` may give features and tapped features. The module is applied as it is, so build it
    for evaluation (for example `use_running_average=True`). `about`: `preprocess`, `classes`,
    `name`.
    """

    def call(name: str | None) -> Callable[[Params, Any], Any]:
        def function(variables: Params, x: Any) -> Any:
            out = module.apply(variables, x[None], method=name)
            return jax.tree.map(lambda batch: batch[0], out)

        return function

    return _cut(module, call, about)


def _cut(module: Any, call: Callable[[str | None], Any], about: dict[str, Any]) -> Model:
    """Make a `Model` of the methods that a module has, each called by its name."""
    if not (hasattr(module, "trunk") and hasattr(module, "head")):
        return Model(lambda _, image: identity(image), call(None), **about)
    tap = call("tap") if hasattr(module, "tap") else None
    return Model(call("trunk"), call("head"), tap=tap, **about)
