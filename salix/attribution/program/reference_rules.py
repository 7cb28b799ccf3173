"""DeepLIFT's rules: multipliers that carry differences from a reference exactly.

Each value is a pair, at the image and at the reference. A rule for y of operands a_i returns
multipliers m_i with $\\sum_i m_i (a_i - a_i') = y - y'$, up to rounding.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from salix.attribution.program.graph import Constant, Node
from salix.attribution.program.primitives import REARRANGING
from salix.attribution.program.tracing import trace
from salix.attribution.program.walk import PropagationRules, Pull, in_order, propagate
from salix.precision import widen
from salix.typing import Image, ScoreLike

ValuePair = tuple[Any, Any]


def secant(function: Callable[[Any], Any], u: Array, v: Array) -> Array:
    r"""Return $(g(u) - g(v)) / (u - v)$ place by place, and $g'(u)$ where u and v are equal.

    Nearly equal numbers, 16 units in the last place, count as equal.
    """
    y, pull = jax.vjp(function, u)
    (slope,) = pull(jnp.ones_like(y))
    near = 16 * jnp.finfo(u.dtype).eps * jnp.maximum(jnp.abs(u), jnp.abs(v))
    equal = (u == v) | (jnp.abs(u - v) <= near)  # infinite values may be equal
    return jnp.where(equal, slope, (y - function(v)) / jnp.where(equal, 1, u - v))


def _linear(node: Node, *pairs: ValuePair) -> tuple[ValuePair, Pull]:
    values, references = zip(*pairs, strict=True)
    y, pull = jax.vjp(node.apply, *values)
    return (y, node.apply(*references)), pull


def _elementwise(node: Node, pair: ValuePair) -> tuple[ValuePair, Pull]:
    y = node.apply(pair[0]), node.apply(pair[1])
    return y, lambda m: [m * secant(node.apply, *pair)]


def _product(node: Node, a: ValuePair, b: ValuePair) -> tuple[ValuePair, Pull]:
    """Return a product ab, with the multipliers (b + b') / 2 of a and (a + a') / 2 of b."""

    def pull(m: Array) -> Any:
        means = [(x + y) / 2 for x, y in (a, b)]
        return jax.vjp(node.apply, *means)[1](m)

    return (node.apply(a[0], b[0]), node.apply(a[1], b[1])), pull


def _quotient(node: Node, a: ValuePair, b: ValuePair) -> tuple[ValuePair, Pull]:
    """Return a quotient a/b: the product of a with 1/b, whose secant is -1 / (b b')."""

    def pull(m: Array) -> Any:
        by_a = m * (1 / b[0] + 1 / b[1]) / 2
        return by_a, -m * (a[0] + a[1]) / 2 / (b[0] * b[1])

    return (node.apply(a[0], b[0]), node.apply(a[1], b[1])), pull


def _extremum(rising_at_image: bool, node: Node, *pairs: ValuePair) -> tuple[ValuePair, Pull]:
    """Return a maximum or minimum, whose difference goes to one position of each window.

    Where a maximum is larger at the image, that is the position of the maximum there, where it is
    smaller the position of the maximum at the reference; a minimum the other way round. So that
    position's own difference is at least as large, and the multiplier is from 0 to 1.
    """
    values, references = zip(*pairs, strict=True)
    y, to_image = jax.vjp(node.apply, *values)
    z, to_reference = jax.vjp(node.apply, *references)

    def pull(m: Array) -> Any:
        difference = m * (y - z)
        at_image = (y > z) == rising_at_image
        sent = to_image(jnp.where(at_image, difference, 0))
        received = to_reference(jnp.where(at_image, 0, difference))
        parts = []
        for u, v, one, other in zip(values, references, sent, received, strict=True):
            total = one + other
            nothing = total == 0
            parts.append(jnp.where(nothing, 0, total / jnp.where(nothing, 1, u - v)))
        return parts

    return (y, z), pull


def _nothing(node: Node, *pairs: ValuePair) -> tuple[ValuePair, Pull]:
    values, references = zip(*pairs, strict=True)
    y = node.apply(*values), node.apply(*references)
    return y, lambda m: [None] * len(pairs)


def _fixed(node: Node, *pairs: ValuePair) -> tuple[ValuePair, Pull]:
    """Return an index at the image for both: the explained class is the one predicted there."""
    y = node.apply(*(pair[0] for pair in pairs))
    return (y, y), lambda m: [None] * len(pairs)


def reference_rules(order: list[Node]) -> PropagationRules:
    """Return the rules of the nodes of a score; `select` with two values of the image has none."""
    shifts = _shifts(order)

    def stop(node: Node, *pairs: ValuePair) -> tuple[ValuePair, Pull]:
        if node not in shifts:
            return _nothing(node, *pairs)
        return (pairs[0], lambda m: [m]) if node.kind == "stop" else _linear(node, *pairs)

    return {
        "image": _nothing,
        "linear": _linear,
        "elementwise": _elementwise,
        "product": _product,
        "quotient": _quotient,
        "maximum": partial(_extremum, True),
        "minimum": partial(_extremum, False),
        "stop": stop,
        "stopped": stop,
        "predicate": _nothing,
        "fixed": _fixed,
    }


def explain_difference(score: ScoreLike, image: Image, reference: Image) -> Array:
    """Return each pixel's share of the difference of a score from that of a reference."""
    image = jnp.asarray(image)
    reference = jnp.asarray(reference, image.dtype)
    start, output = trace(score, image)
    if isinstance(output, Constant):
        return widen(jnp.zeros_like(image))
    rules = reference_rules(in_order(output))
    _, multipliers = propagate(output, start, (image, reference), rules)
    return widen(multipliers) * (widen(image) - widen(reference))


def _shifts(order: list[Node]) -> set[Node]:
    """Return the maxima that shift exponents, as in a softmax, and their copies.

    Their gradient is stopped because they have no effect, which is a matter of derivatives: of
    differences from a reference they have their part.
    """
    readers: dict[Node, list[Node]] = {}
    for node in order:
        for operand in node.operands:
            readers.setdefault(operand, []).append(node)
    shifts: set[Node] = set()
    for node in order:
        if node.kind == "stop" and _is_maximum(node.operands[0]):
            copies, used = [node], []
            for copy in copies:  # which grows
                for reader in readers.get(copy, ()):
                    (copies if _is_copy(reader) else used).append(reader)
            after = {n.name for reader in used for n in readers.get(reader, ())}
            if {reader.name for reader in used} <= {"sub", "add"} and "exp" in after:
                shifts |= set(copies)
    return shifts


def _is_copy(node: Node) -> bool:
    return node.kind == "stopped" and (node.equation is None or node.name in REARRANGING)


def _is_maximum(node: Node) -> bool:
    if node.kind in ("linear", "elementwise"):
        return all(map(_is_maximum, node.operands))
    return node.kind == "maximum"
