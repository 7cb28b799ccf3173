"""In which precision the products of a sweep are traced: its model's, and all others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import jax

from salix.model import Model
from salix.precision import LAX_PRECISION, Precision, precision
from salix.typing import Params


@contextmanager
def computed_in(policy: Precision) -> Iterator[None]:
    """Trace products of every kind in a precision. Raises `InputError` for an unknown one."""
    # Salix's convolutions state theirs; what does not is as exact as they are.
    with precision(policy), jax.default_matmul_precision(LAX_PRECISION[policy].name.lower()):
        yield


def traced_once(model: Model, policy: Precision) -> Model:
    """Return the model with a trunk and a head that are traced once, in a precision.

    The measures of one image call them a dozen times. The compiler writes each call out before it
    looks for operations that are equal, so that the program is the same.
    """

    def once(function: Callable[[Params, Any], Any], name: str) -> Callable[[Params, Any], Any]:
        def traced(params: Params, x: Any) -> Any:
            with computed_in(policy):
                return function(params, x)

        traced.__name__ = name  # what a profile of the program calls its operations
        return jax.jit(traced)

    return replace(model, trunk=once(model.trunk, "trunk"), head=once(model.head, "head"))
