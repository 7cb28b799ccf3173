"""Walk through the graph of a score, forward and backward, with the rules of a method."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from salix.attribution.program.graph import Constant, Node
from salix.attribution.program.tracing import trace
from salix.typing import Image, InputError, ScoreLike

Pull = Callable[[Any], Any]  # from a node's multipliers to those of its operands
PropagationRule = Callable[..., tuple[Any, Pull]]  # of a node and the values of its operands
PropagationRules = Mapping[str, PropagationRule]

ADVICE = {
    "while": "write the loop with a fixed number of steps",
    "cond": "write it as jnp.where of both branches",
    "scan": "unroll the loop, or make it shorter",
}


def propagate(output: Node, start: Node, value: Any, rules: PropagationRules) -> tuple[Any, Any]:
    """Return the value of a score, and what the rules propagate from 1 there to the image.

    A rule takes a node and the values of its operands, and returns the node's value and the
    function that propagates back to the operands. Raises `InputError` for a node without a rule.
    """
    values: dict[Node, Any] = {start: value}
    pulls: dict[Node, Pull] = {}
    order = check_rules(output, rules)
    for node in order:
        if node is not start:
            rule = rules[node.kind]
            values[node], pulls[node] = rule(node, *[values[o] for o in node.operands])
    multipliers: dict[Node, Any] = {output: jnp.ones((), output.dtype)}
    for node in reversed(order):
        if node is start or node not in multipliers:
            continue
        for operand, part in zip(node.operands, pulls[node](multipliers.pop(node)), strict=True):
            if operand.floating and part is not None:
                before = multipliers.get(operand)
                multipliers[operand] = part if before is None else before + part
    zero = jnp.zeros(start.shape, start.dtype)
    return values[output], multipliers.get(start, zero)


def check_rules(output: Node, rules: PropagationRules) -> list[Node]:
    """Return the nodes of a score, operands first; `InputError` for one without a rule."""
    order = in_order(output)
    for node in order:
        if node.kind not in rules:
            raise InputError(_message(node))
    return order


def in_order(output: Node) -> list[Node]:
    """Return the nodes that an output depends on, operands first."""
    order: dict[Node, None] = {}
    waiting = [(output, False)]
    while waiting:
        node, ready = waiting.pop()
        if ready:
            order[node] = None
        elif node not in order:
            waiting.append((node, True))
            waiting += [(operand, False) for operand in node.operands]
    return list(order)


def derivative(node: Node, *values: Array) -> tuple[Array, Pull]:
    """Return the value of a node and its ordinary derivative, the rule of plain gradients."""
    return jax.vjp(node.apply, *values)


def constant(node: Node, *values: Array) -> tuple[Array, Pull]:
    """Return the value of a node that propagates nothing."""
    return node.apply(*values), lambda _: [None] * len(values)


DIFFERENTIATED = (
    *("image", "linear", "elementwise", "product"),
    *("quotient", "maximum", "minimum", "select"),
)
CONSTANT = ("stop", "stopped", "fixed", "predicate")

GRADIENT: PropagationRules = {
    **dict.fromkeys(DIFFERENTIATED, derivative),
    **dict.fromkeys(CONSTANT, constant),
}


def explain(score: ScoreLike, image: Image, rules: PropagationRules) -> Array:
    """Return what rules propagate to an image; zeros for a score that it has no influence on."""
    image = jnp.asarray(image)
    start, output = trace(score, image)
    if isinstance(output, Constant):
        return jnp.zeros_like(image)
    return propagate(output, start, image, rules)[1]


def _message(node: Node) -> str:
    name = node.name
    advice = ADVICE.get(
        name, "write it with primitives that have one, or use IntegratedGradients()"
    )
    return f"no rule for the primitive {name!r}{source(node)}: {advice}"


def source(node: Node) -> str:
    """Return " at file:line" of the code of a node, nothing where JAX does not know it."""
    for equation in (node.equation, *reversed(node.calls)):
        line = _line(equation)
        if line:
            return f" at {line}"
    return ""


def _line(equation: Any) -> str:
    try:
        from jax._src import source_info_util

        return source_info_util.summarize(equation.source_info)
    except (ImportError, AttributeError):
        return ""
