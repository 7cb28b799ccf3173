"""Affine layers of a program: weighted sums of one value, with the scales and shifts after them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from salix.attribution.program.calls import is_linear_call
from salix.attribution.program.graph import Constant, Node, evaluate
from salix.attribution.program.primitives import CUSTOM, REARRANGING
from salix.attribution.program.tracing import build

WEIGHTED = ("conv_general_dilated", "dot_general")
AFFINE = ("add", "sub", "mul", "div", "neg", "convert_element_type")


@dataclass(frozen=True, eq=False)
class Layer:
    r"""An affine layer $z_j = s_j \sum_i w_{ij} a_i + b_j$ of a value a.

    `base` is the weighted sum, and `chain` the operations place by place after it that nothing else
    reads: a bias, a batch normalisation. `place` is that of the weights among the inputs of `base`.
    """

    base: Node
    chain: tuple[Node, ...]
    place: int

    @property
    def end(self) -> Node:
        """The node whose value is z."""
        return self.chain[-1] if self.chain else self.base

    @property
    def weights(self) -> Array:
        """The weights w."""
        return jnp.asarray(self.base.inputs[self.place].value)

    @property
    def shared(self) -> bool:
        """Whether the weights are shared among places, as in a convolution."""
        return int(np.prod(self.base.shape)) > self._outputs()

    def weigh(self, weights: Array, a: Array) -> Array:
        """Return the sums of `a` with other weights, without scales and shifts."""
        inputs = [weights if i == self.place else part for i, part in enumerate(self.base.inputs)]
        values = [a if isinstance(p, Node) else getattr(p, "value", p) for p in inputs]
        return evaluate(self.base.equation, values)[0]

    def finish(self, sums: Array) -> Array:
        """Return z for sums: scaled and shifted."""
        for node in self.chain:
            sums = node.apply(sums)
        return sums

    def scale_and_shift(self) -> tuple[Array, Array]:
        """Return the scales s and the shifts b, of the shape of z."""
        zeros = jnp.zeros(self.base.shape, self.base.dtype)
        shift, scale = jax.jvp(self.finish, (zeros,), (jnp.ones_like(zeros),))
        return scale, shift

    def _outputs(self) -> int:
        """Return the number of different sums of one place."""
        weights, equation = self.weights.shape, self.base.equation
        if self.base.name == "conv_general_dilated":
            return weights[equation.params["dimension_numbers"].rhs_spec[0]]
        if self.base.name == "dot_general":
            contracted, batch = equation.params["dimension_numbers"]
            used = {*contracted[self.place], *batch[self.place]}
            return int(np.prod([n for axis, n in enumerate(weights) if axis not in used]))
        return weights[-1]


def find_layers(order: Sequence[Node]) -> list[Layer]:
    """Return the affine layers among the nodes of a score."""
    readers: dict[Node, list[Node]] = {}
    for node in order:
        for operand in node.operands:
            readers.setdefault(operand, []).append(node)
    layers = []
    for base in order:
        place = _weights_place(base)
        if place is not None:
            chain: list[Node] = []
            reader = _only(readers.get(base, []))
            while reader is not None and reader.kind == "linear" and reader.name in AFFINE:
                if len(reader.operands) != 1 or reader.shape != base.shape:
                    break
                chain.append(reader)
                reader = _only(readers.get(reader, []))
            layers.append(Layer(base, tuple(chain), place))
    return layers


def _only(nodes: list[Node]) -> Node | None:
    return nodes[0] if len(nodes) == 1 else None


def _weights_place(node: Node) -> int | None:
    """Return the place of the weights among the inputs of a weighted sum, None for other nodes."""
    if node.kind != "linear" or node.equation is None:
        return None
    places = [i for i, part in enumerate(node.inputs) if isinstance(part, Constant)]
    if node.name in WEIGHTED:
        return places[0] if len(places) == 1 else None
    if node.name in CUSTOM:
        arrays = [i for i in places if np.ndim(node.inputs[i].value) >= 2]
        if len(arrays) == 1 and is_linear_call(node.equation, node.inputs, arrays[0], build):
            return arrays[0]
    return None


def path_from_image(node: Node) -> Callable[[Array], Array] | None:
    """Return a value as a function of the image, if that only rearranges, scales and shifts it."""
    if node.kind == "image":
        return lambda x: x
    known = node.equation is None or node.name in REARRANGING or node.name in AFFINE
    if node.kind != "linear" or not known:
        return None
    if node.name in AFFINE and len(node.operands) != 1:
        return None
    parts = [path_from_image(operand) for operand in node.operands]
    if any(part is None for part in parts):
        return None
    return lambda x: node.apply(*(part(x) for part in parts if part is not None))
