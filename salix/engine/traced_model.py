"""A model whose trunk and head are traced once for all explanations of an image."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax

from salix.model import Model
from salix.precision import Precision, computed_in
from salix.typing import Params


def traced_once(model: Model, precision: Precision) -> Model:
    """Return the model with a trunk and a head that are traced once, in the precision.

    The measures of one image call them a dozen times. The compiler inlines each call before it
    looks for operations that are equal, so that the program is the same.
    """

    def once(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def traced(params: Params, x: Any, **cut: str) -> Any:
            with computed_in(precision):
                return function(params, x, **cut)

        traced.__name__ = name  # of its operations in a profile of the program
        return jax.jit(traced, static_argnames="cut")

    head = once(model.head, "head")
    trunk = once(model.trunk, "trunk") if model.divided else model.trunk
    return replace(model, trunk=trunk, head=head)
