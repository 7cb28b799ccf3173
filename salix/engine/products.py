"""The products of matrices and kernels in a traced program."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import jax


@dataclass(frozen=True)
class Product:
    """One product: its operations, two for each term that is added up, and what it is made of."""

    operations: int
    bits: int  # of the wider operand
    convolution: bool = False


def products(jaxpr: Any, times: int = 1) -> Iterator[Product]:
    """Yield the products of a jaxpr, those of a scan as one for all its turns."""
    for equation in jaxpr.eqns:
        params, terms = equation.params, 0
        kernels = equation.primitive.name == "conv_general_dilated"
        if equation.primitive.name == "dot_general":
            (summed, _), _ = params["dimension_numbers"]
            terms = prod(equation.invars[0].aval.shape[axis] for axis in summed)
        elif kernels:
            kernel = equation.invars[1].aval
            terms = kernel.size // kernel.shape[params["dimension_numbers"].rhs_spec[0]]
        if terms:
            bits = max(8 * operand.aval.dtype.itemsize for operand in equation.invars)
            yield Product(2 * times * equation.outvars[0].aval.size * terms, bits, kernels)
        for inner in jax.tree.leaves(list(params.values()), is_leaf=_is_jaxpr):
            if _is_jaxpr(inner):
                again = times * params.get("length", 1)  # of a scan
                yield from products(getattr(inner, "jaxpr", inner), again)


def _is_jaxpr(value: Any) -> bool:
    return hasattr(value, "eqns")
