"""Layer-wise relevance propagation through the graph of a score."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from salix.attribution.program.graph import Constant, Node
from salix.attribution.program.layers import Layer, find_layers, path_from_image
from salix.attribution.program.reference_rules import secant
from salix.attribution.program.relevance_rules import (
    FIRST_RULES,
    LAYER_RULES,
    RelevanceOptions,
)
from salix.attribution.program.tracing import trace
from salix.attribution.program.walk import GRADIENT, Pull, derivative, in_order, propagate
from salix.precision import widen
from salix.typing import Image, ScoreLike

GATES = ("logistic", "exp", "exp2", "rsqrt")  # of which the values are shares or norms


@dataclass(frozen=True)
class LayerRules:
    """Names of the rules of convolutions, of dense layers and of the first layer.

    A layer is dense if it has one place, as after a global pooling; None for the first layer gives
    it the rule of its kind.
    """

    convolution: str
    dense: str
    first: str | None = None


def explain_relevance(
    score: ScoreLike, image: Image, names: LayerRules, options: RelevanceOptions
) -> Array:
    """Return the relevance of an image for its score."""
    image = jnp.asarray(image)
    start, output = trace(score, image)
    if isinstance(output, Constant):
        return widen(jnp.zeros_like(image))
    walk = _Walk(in_order(output), names, options)
    _, multipliers = propagate(output, start, image, walk.rules())
    result = widen(multipliers) * widen(image)
    for path, relevance in walk.relevance:
        ones = jnp.ones_like(image)
        _, slope = jax.jvp(path, (image,), (ones,))
        _, pull = jax.vjp(path, image)
        result = result + widen(pull(jnp.where(slope == 0, 0, relevance / _nonzero(slope)))[0])
    return result


def _nonzero(x: Array) -> Array:
    return jnp.where(x == 0, 1, x)


class _Walk:
    """Rules of the nodes of one score, which know the layers that nodes are part of."""

    def __init__(self, order: list[Node], names: LayerRules, options: RelevanceOptions):
        self.names, self.options = names, options
        layers = find_layers(order)
        self.by_base = {layer.base: layer for layer in layers}
        self.by_end = {layer.end: layer for layer in layers}
        self.outputs: dict[Layer, tuple[Array, Array]] = {}  # z and its multipliers
        self.relevance: list[tuple[Callable[[Array], Array], Array]] = []

    def rules(self) -> Any:
        return {
            **GRADIENT,
            "linear": self._linear,
            "elementwise": _elementwise,
            "product": _product,
            "quotient": _quotient,
        }

    def _linear(self, node: Node, *values: Array) -> tuple[Array, Pull]:
        z, pull = derivative(node, *values)
        layer, ended = self.by_base.get(node), self.by_end.get(node)

        def backward(c: Array) -> Any:
            if ended is not None:
                self.outputs[ended] = z, c
            return pull(c) if layer is None else [self._through(layer, values[0])]

        return z, backward

    def _through(self, layer: Layer, a: Array) -> Array | None:
        z, c = self.outputs[layer]
        path = path_from_image(layer.base.operands[0])
        if path is not None and self.names.first is not None:
            low, high = (
                path(jnp.asarray(x, a.dtype)) for x in (self.options.low, self.options.high)
            )
            bounds = replace(self.options, low=jnp.minimum(low, high), high=jnp.maximum(low, high))
            self.relevance.append((path, FIRST_RULES[self.names.first](layer, a, z, c, bounds)))
            return None
        name = self.names.convolution if layer.shared else self.names.dense
        return LAYER_RULES[name](layer, a, z, c, self.options)


def _elementwise(node: Node, u: Array) -> tuple[Array, Pull]:
    """Return g(u), whose relevance above g(0) is that of u; g(0) absorbs the rest, like a bias."""
    return node.apply(u), lambda c: [c * secant(node.apply, u, jnp.zeros_like(u))]


def _product(node: Node, a: Array, b: Array) -> tuple[Array, Pull]:
    """Return a product, whose relevance is that of the factor that is no gate, or half of each."""
    y, pull = jax.vjp(node.apply, a, b)
    gates = [_is_gate(operand) for operand in node.operands]

    def backward(c: Array) -> Any:
        if gates[0] != gates[1]:
            parts = pull(c)
            return [None if gate else part for gate, part in zip(gates, parts, strict=True)]
        return pull(c / 2)

    return y, backward


def _quotient(node: Node, a: Array, b: Array) -> tuple[Array, Pull]:
    """Return a quotient, whose relevance is that of the dividend."""
    return node.apply(a, b), lambda c: [c / b, None]


def _is_gate(node: Node) -> bool:
    """Return whether a factor only weighs the other: a share, a norm, one number for many places.

    Attention weights, sigmoid gates, squeeze-and-excitation and normalisations are such.
    """
    if node.stopped:
        return True
    if node.kind == "elementwise":
        return node.name in GATES or _is_gate(node.operands[0])
    if node.kind == "quotient":
        return _is_gate(node.operands[0])
    if node.kind == "linear" and len(node.operands) == 1:
        (operand,) = node.operands
        enlarged = _size(node) > _size(operand) and node.name in ("broadcast_in_dim", "linear")
        layer = node.name in ("dot_general", "conv_general_dilated") or "custom" in node.name
        return enlarged or (not layer and _is_gate(operand))
    return False


def _size(node: Node) -> int:
    size = 1
    for n in node.shape:
        size *= n
    return size
