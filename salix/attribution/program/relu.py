"""ReLUs of a program and the backward rules that differ from the gradient at them alone."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from salix.attribution.program.graph import Constant, Node, as_function_of
from salix.attribution.program.tracing import trace
from salix.attribution.program.walk import GRADIENT, Pull, check_rules, derivative, propagate
from salix.typing import Image, InputError, ScoreLike

# Exact in 8 bits of mantissa, in which a program may compute.
PROBES = np.array([-512.0, -6.0, -3.0, -1.0, -0.375, -0.0625, 0, 0.0625, 0.375, 1, 3, 6, 512])
Backward = Callable[[Array, Array, Array], Array]  # of a ReLU's output, slope and signal from above


def is_relu(node: Node) -> bool:
    """Return whether a node is max(u, 0), or min(max(u, 0), c) with a bound c of at least 1.

    It is so by its values, however it is written; a leaky ReLU is none.
    """
    if node.kind != "elementwise" or not node.floating:
        return False
    function = as_function_of(node, node.operands[0], numbers=True)
    try:
        with jax.ensure_compile_time_eval():
            values = np.asarray(function(jnp.asarray(PROBES, node.operands[0].dtype)), np.float64)
    except LookupError:  # of constants that differ from place to place
        return False
    return bool(values[-1] >= 1 and (values == np.clip(PROBES, 0, values[-1])).all())


def explain_by_relu(score: ScoreLike, image: Image, backward: Backward, method: str) -> Array:
    """Return the gradient with another backward rule at ReLUs; `InputError` without any ReLU."""
    image = jnp.asarray(image)
    start, output = trace(score, image)
    if isinstance(output, Constant):
        return jnp.zeros_like(image)
    relus = {node for node in check_rules(output, GRADIENT) if is_relu(node)}
    if not relus:
        raise InputError(
            f"{method} differs from the gradient at ReLUs alone, and this score has none: use "
            "Gradient(), or a network with ReLUs"
        )
    rules = {**GRADIENT, "elementwise": partial(_elementwise, relus, backward)}
    return propagate(output, start, image, rules)[1]


def _elementwise(relus: set[Node], backward: Backward, node: Node, u: Any) -> tuple[Array, Pull]:
    if node not in relus:
        return derivative(node, u)
    y, pull = jax.vjp(node.apply, u)
    (slope,) = pull(jnp.ones_like(y))
    return y, lambda signal: [backward(y, slope, signal)]
