"""Availability of a precision for a model, and the share of its products in 16 bits."""

import jax

from salix.bench.arrays import abstract
from salix.compiler import products
from salix.model import Model
from salix.precision import Precision, computed_in
from salix.typing import Params


def missing(model: Model, params: Params, policy: Precision) -> str:
    """Return why a precision is unavailable for a model on this device; "" if it is available."""
    if policy == "tf32" and jax.default_backend() == "cpu":
        return "the CPU has no tf32: this would be float32"
    if policy.startswith("bfloat16") and not rounded(model, params, policy) > 0:
        return (
            f"{policy} applies to layers of salix.nn only, and {model.name} has none: build "
            "it with salix.nn.layers.Conv, or cast its parameters and images"
        )
    return ""


def rounded(model: Model, params: Params, policy: Precision) -> float:
    """Return the share of a forward pass's products, in [0, 1], whose operands have 16 bits.

    Weighted by FLOPs. NaN for a model without products.
    """
    with computed_in(policy):
        jaxpr = jax.make_jaxpr(model.logits)(*abstract(model, params))
    counted = list(products(jaxpr.jaxpr))
    total = sum(p.flops for p in counted)
    return sum(p.flops for p in counted if p.bits < 32) / total if total else float("nan")
