"""What a policy of precision does to a model: whether it can be had, and how much it rounds."""

from collections.abc import Iterator
from math import prod
from typing import Any

import jax

from salix.bench.arrays import abstract
from salix.model import Model
from salix.models.conv import Precision
from salix.sweep.policy import computed_in
from salix.typing import Params


def missing(model: Model, params: Params, policy: Precision) -> str:
    """Return why a policy cannot be had for a model on this device; nothing where it can."""
    if policy == "tf32" and jax.default_backend() == "cpu":
        return "the CPU has no tf32: this would be float32"
    if policy.startswith("bfloat16") and not rounded(model, params, policy) > 0:
        return (
            f"{policy} rounds convolutions of salix.models alone, and none in {model.name}: build "
            "it with salix.models.layers.Conv, or cast its parameters and images"
        )
    return ""


def rounded(model: Model, params: Params, policy: Precision) -> float:
    """Return the share of a forward pass's products, in [0, 1], whose operands have 16 bits.

    Weighted by operations. NaN for a model without products.
    """
    with computed_in(policy):
        jaxpr = jax.make_jaxpr(model.logits)(*abstract(model, params))
    found = list(_products(jaxpr.jaxpr))
    total = sum(count for count, _ in found)
    return sum(count for count, bits in found if bits < 32) / total if total else float("nan")


def _products(jaxpr: Any, times: int = 1) -> Iterator[tuple[int, int]]:
    """Yield the operations of each product of matrices or kernels, and the bits of its operands."""
    for equation in jaxpr.eqns:
        params = equation.params
        terms = 0
        if equation.primitive.name == "dot_general":
            (summed, _), _ = params["dimension_numbers"]
            terms = prod(equation.invars[0].aval.shape[axis] for axis in summed)
        elif equation.primitive.name == "conv_general_dilated":
            kernel = equation.invars[1].aval
            terms = kernel.size // kernel.shape[params["dimension_numbers"].rhs_spec[0]]
        if terms:
            bits = max(8 * operand.aval.dtype.itemsize for operand in equation.invars)
            yield 2 * times * equation.outvars[0].aval.size * terms, bits
        for inner in jax.tree.leaves(list(params.values()), is_leaf=_is_jaxpr):
            if _is_jaxpr(inner):
                again = times * params.get("length", 1)  # of a scan
                yield from _products(getattr(inner, "jaxpr", inner), again)


def _is_jaxpr(value: Any) -> bool:
    return hasattr(value, "eqns")
