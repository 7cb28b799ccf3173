"""Graph of the values of a program that depend on the image."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array


@dataclass(eq=False)
class Constant:
    """A value that does not depend on the image, and its one number where that is known."""

    value: Any
    number: Any = None


@dataclass(eq=False)
class Node:
    """A value that depends on the image: `apply` of the values of its `operands`.

    `kind` chooses the rule: "image", "linear" (by all operands together, up to a constant),
    "elementwise" (a function g(u) of one operand, place by place), "product" (linear in each of two
    operands), "quotient", "maximum", "minimum", "select" (between operands, by the first), "stop"
    (a stopped gradient), "stopped" (a function of such alone), "fixed" (an index or a function of
    indices alone), "predicate", or "unknown". `inputs` are all operands of its `equation`. `origin`
    is the nearest value that determines this one place by place.
    """

    kind: str
    shape: tuple[int, ...]
    dtype: Any
    apply: Callable[..., Any]
    operands: tuple["Node", ...] = ()
    equation: Any = None
    inputs: tuple[Any, ...] = ()
    origin: "Node | None" = None
    body: "Node | None" = None  # of a function with its own derivative: its output, inlined
    calls: tuple[Any, ...] = ()  # equations whose programs contain this one, outermost first

    @property
    def name(self) -> str:
        """The name of the primitive."""
        return self.equation.primitive.name if self.equation is not None else self.kind

    @property
    def floating(self) -> bool:
        """Whether the value has derivatives."""
        return jnp.issubdtype(self.dtype, jnp.floating)

    @property
    def fixed(self) -> bool:
        """Whether the value is an index, which every rule keeps as it is at the image."""
        return self.kind == "fixed" or jnp.issubdtype(self.dtype, np.integer)

    @property
    def stopped(self) -> bool:
        """Whether the value depends on the image through indices and stopped gradients alone."""
        return self.fixed or self.kind in ("stop", "stopped")

    def lineage(self) -> Iterator["Node"]:
        """Yield this node and, from near to far, the values that determine it place by place."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.origin


def distinct(inputs: Sequence[Any]) -> tuple[Node, ...]:
    """Return the nodes among the inputs of an equation, each once."""
    return tuple(dict.fromkeys(i for i in inputs if isinstance(i, Node)))


def common_origin(nodes: Sequence[Node], shape: tuple[int, ...]) -> Node | None:
    """Return the nearest value that determines all nodes place by place, None without one.

    So x * sigmoid(x), a GELU and where(x > 0, x, a * x) are each one function of x.
    """
    if any(node.shape != shape for node in nodes):
        return None
    lines = [set(node.lineage()) for node in nodes]
    shared = (n for n in nodes[0].lineage() if n.floating and all(n in line for line in lines))
    return next(shared, None)


def evaluate(equation: Any, values: Sequence[Any]) -> list[Any]:
    """Return the outputs of an equation."""
    params = equation.primitive.get_bind_params(equation.params)
    # JAX 0.10.2 has functions among the parameters, earlier versions beside them
    functions, params = params if isinstance(params, tuple) else ((), params)
    with equation.ctx.manager:
        outputs = equation.primitive.bind(*functions, *values, **params)
    return list(outputs) if equation.primitive.multiple_results else [outputs]


def as_function(
    equation: Any, inputs: Sequence[Any], index: int = 0, *, by_place: bool = False
) -> Callable[..., Array]:
    """Return an output of an equation as a function of the distinct nodes among its inputs.

    With `by_place` it is a function of each input that is a node, however often it occurs.
    """
    places = [i for i, part in enumerate(inputs) if isinstance(part, Node)]
    nodes = [inputs[i] for i in places] if by_place else distinct(inputs)

    def apply(*values: Array) -> Array:
        operands = [None if isinstance(part, Node) else part.value for part in inputs]
        by_node = dict(zip(nodes, values, strict=True)) if not by_place else {}
        for n, i in enumerate(places):
            operands[i] = values[n] if by_place else by_node[inputs[i]]
        return evaluate(equation, operands)[index]

    return apply


def as_function_of(node: Node, origin: Node, *, numbers: bool = False) -> Callable[[Array], Array]:
    """Return a node as a function of a value in its lineage.

    With `numbers` it is a function of any shape, and raises `LookupError` where a constant is not
    one known number.
    """

    def constant(like: Array, constant: Constant) -> Any:
        if not numbers:
            return constant.value
        if constant.number is None:
            raise LookupError
        return jnp.full(like.shape, constant.number, constant.number.dtype)

    def apply(u: Array) -> Array:
        values = {origin: u}

        def value(part: Any) -> Any:
            if not isinstance(part, Node):
                return constant(u, part)
            if part not in values and numbers and part.body is not None:
                return value(part.body)
            if part not in values:
                (values[part],) = evaluate(part.equation, [value(i) for i in part.inputs])
            return values[part]

        return value(node)

    return apply


def read_constant(value: Any, aval: Any = None) -> Constant:
    """Return a value as a constant, with its number where it is a single one known now."""
    if isinstance(value, np.ndarray) and value.ndim:
        return Constant(jnp.asarray(value))
    dtype = jnp.result_type(value) if aval is None else aval.dtype
    if isinstance(value, Tracer) or np.ndim(value) or jnp.issubdtype(dtype, jax.dtypes.extended):
        return Constant(value)
    return Constant(value, np.asarray(value, dtype))
