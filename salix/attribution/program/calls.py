"""Programs within a program: inlined calls, functions with their own derivative, unrolled loops."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr
from jaxtyping import Array

from salix.attribution.program.graph import Constant, Node, as_function, distinct
from salix.attribution.program.primitives import CALLS, CUSTOM

BuildGraph = Callable[[Any, Sequence[Any], Sequence[Any]], list[Any]]
MOST_STEPS = 1024  # of a loop that is unrolled


def is_call(equation: Any) -> bool:
    """Return whether an equation runs a program that can be inlined."""
    name = equation.primitive.name
    if name == "scan":
        return equation.params["length"] <= MOST_STEPS
    return name in CALLS or name in CUSTOM


def call(equation: Any, inputs: Sequence[Any], build: BuildGraph) -> list[Any]:
    """Return the outputs of an equation that runs a program."""
    if equation.primitive.name == "scan":
        return _unroll(equation.params, inputs, build)
    outputs = _body_outputs(equation, inputs, build)
    if equation.primitive.name in CUSTOM and len(outputs) == 1 and isinstance(outputs[0], Node):
        return [_with_own_derivative(equation, inputs, outputs[0])]
    return outputs


def _body_outputs(equation: Any, inputs: Sequence[Any], build: BuildGraph) -> list[Any]:
    params = equation.params
    body = next(params[k] for k in ("jaxpr", "call_jaxpr", "fun_jaxpr") if k in params)
    closed = isinstance(body, ClosedJaxpr) or hasattr(body, "consts")
    return build(body.jaxpr if closed else body, body.consts if closed else (), inputs)


def is_linear_call(equation: Any, inputs: Sequence[Any], place: int, build: BuildGraph) -> bool:
    """Return whether a call is linear in the input at a place, where all others are constants."""
    values = [Constant(jnp.zeros(p.shape, p.dtype)) if isinstance(p, Node) else p for p in inputs]
    array = jnp.asarray(values[place].value)
    node = Node("image", array.shape, array.dtype, lambda: array)
    values[place] = node
    (output,) = _body_outputs(equation, values, build)
    return isinstance(output, Node) and _kinds(output, {node}) <= {"linear"}


def _with_own_derivative(equation: Any, inputs: Sequence[Any], output: Node) -> Node:
    """Return a call as one node, which keeps its own derivative, where it has one kind.

    So stay a convolution with its own gradient, a ReLU, a maximum over windows; other functions,
    such as a softmax, are the graph of their parts.
    """
    operands = distinct(inputs)
    kinds = _kinds(output, set(operands))
    origin = operands[0] if len(operands) == 1 and operands[0] in output.lineage() else None
    if kinds <= {"linear"}:
        kind = "linear"
    elif origin is not None and origin.floating and output.floating:
        kind = "elementwise"
    elif kinds == {"linear", "maximum"} or kinds == {"maximum"}:
        kind = "maximum"
    else:
        return output
    apply = as_function(equation, inputs)
    shape, dtype = output.shape, output.dtype
    return Node(kind, shape, dtype, apply, operands, equation, tuple(inputs), origin, output)


def _kinds(output: Node, ends: set[Node]) -> set[str]:
    """Return the kinds of the nodes between some nodes and an output."""
    kinds, waiting, visited = set(), [output], set(ends)
    while waiting:
        node = waiting.pop()
        if node not in visited:
            visited.add(node)
            if node.stopped:
                continue
            kinds.add("linear" if _has_one_factor(node) else node.kind)
            waiting += node.operands
    return kinds


def _has_one_factor(node: Node) -> bool:
    """Return whether all operands of a product but one, or a divisor, are stopped."""
    if node.kind == "quotient":
        return node.operands[-1].stopped
    return node.kind == "product" and any(o.stopped for o in node.operands)


def _unroll(params: Any, inputs: Sequence[Any], build: BuildGraph) -> list[Any]:
    """Return the outputs of a loop of fixed length: its last carry, and its outputs stacked."""
    body, length = params["jaxpr"], params["length"]
    constants, carried = _lengths(params)
    fixed, series = list(inputs[:constants]), inputs[constants + carried :]
    carry = list(inputs[constants : constants + carried])
    steps: list[list[Any]] = [[] for _ in body.jaxpr.outvars[len(carry) :]]
    order = reversed(range(length)) if params["reverse"] else range(length)
    for index in order:
        items = [_item(part, index) for part in series]
        outputs = build(body.jaxpr, body.consts, [*fixed, *carry, *items])
        carry = outputs[: len(carry)]
        for collected, output in zip(steps, outputs[len(carry) :], strict=True):
            collected.insert(0, output) if params["reverse"] else collected.append(output)
    return [*carry, *map(_stack, steps)]


def _lengths(params: Any) -> tuple[int, int]:
    """Return the numbers of a loop's constants and of its carried values."""
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    constants, carried, _ = params["ft_in"].unpack()  # JAX 0.12
    return len(constants.vals), len(carried.vals)


def _item(part: Any, index: int) -> Any:
    if isinstance(part, Constant):
        return Constant(jnp.asarray(part.value)[index])

    def apply(x: Array) -> Array:
        return lax.index_in_dim(x, index, keepdims=False)

    return Node("linear", part.shape[1:], part.dtype, apply, (part,), inputs=(part,))


def _stack(parts: list[Any]) -> Any:
    nodes = distinct(parts)
    if not nodes:
        return Constant(jnp.stack([part.value for part in parts]))

    def apply(*values: Array) -> Array:
        by_node = dict(zip(nodes, values, strict=True))
        return jnp.stack([by_node[p] if isinstance(p, Node) else p.value for p in parts])

    shape = (len(parts), *nodes[0].shape)
    return Node("linear", shape, np.dtype(nodes[0].dtype), apply, nodes, inputs=tuple(parts))
