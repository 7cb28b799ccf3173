"""Tracer of a score: from a function to the graph of its primitives."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from salix.attribution.program.calls import call, is_call
from salix.attribution.program.graph import (
    Constant,
    Node,
    as_function,
    as_function_of,
    common_origin,
    distinct,
    evaluate,
    read_constant,
)
from salix.attribution.program.primitives import (
    BILINEAR,
    ELEMENTWISE,
    LINEAR_IN,
    MAXIMA,
    MINIMA,
)
from salix.typing import Image, InputError, ScoreLike

PAIRED = ("product", "quotient")


def trace(score: ScoreLike, image: Image) -> tuple[Node, Any]:
    """Return the node of an image and that of its score, a `Constant` if it has no influence.

    Raises `InputError` for a score that is not one real number.
    """
    image = jnp.asarray(image)
    program = jax.make_jaxpr(lambda x: score(x))(image)
    outputs = [(a.shape, a.dtype) for a in program.out_avals]
    if len(outputs) != 1 or outputs[0][0] or not jnp.issubdtype(outputs[0][1], jnp.floating):
        text = ", ".join(f"{d}{list(s)}" for s, d in outputs)
        raise InputError(f"the score returns {text}: give a function that returns one real number")
    start = Node("image", image.shape, image.dtype, lambda: image)
    (output,) = build(program.jaxpr, program.consts, [start])
    return start, output


def build(
    program: Any, consts: Sequence[Any], arguments: Sequence[Any], *, calls: tuple[Any, ...] = ()
) -> list[Any]:
    """Return the outputs of a program, each a `Node` or a `Constant`; `calls` led to it."""
    known: dict[Any, Any] = dict(zip(program.constvars, map(read_constant, consts), strict=True))
    known |= dict(zip(program.invars, arguments, strict=True))

    def read(variable: Any) -> Any:
        literal = isinstance(variable, Literal)
        return read_constant(variable.val, variable.aval) if literal else known[variable]

    for equation in program.eqns:
        outputs = _outputs(equation, [read(v) for v in equation.invars], calls)
        known |= dict(zip(equation.outvars, outputs, strict=True))
    return [read(v) for v in program.outvars]


def _outputs(equation: Any, inputs: list[Any], calls: tuple[Any, ...]) -> Sequence[Any]:
    if not distinct(inputs):
        if equation.primitive.name in ("jit", "pjit"):  # for the numbers in it
            body = equation.params["jaxpr"]
            return build(body.jaxpr, body.consts, inputs)
        values = evaluate(equation, [i.value for i in inputs])
        return [Constant(v, _number(equation, inputs)) for v in values]
    if is_call(equation):
        return call(equation, inputs, partial(build, calls=(*calls, equation)))
    if equation.primitive.name == "optimization_barrier":
        return inputs
    if equation.primitive.name in ELEMENTWISE:
        inputs = [_broadcast(part, equation.outvars[0].aval.shape) for part in inputs]
    nodes = [_node(equation, inputs, i, v.aval) for i, v in enumerate(equation.outvars)]
    for node in nodes:
        node.calls = calls
    return nodes


def _broadcast(part: Any, shape: tuple[int, ...]) -> Any:
    """Return an operand in the shape of an operation that repeats it along axes of length 1."""
    if not isinstance(part, Node) or part.shape == shape or len(part.shape) != len(shape):
        return part
    repeat = lambda x: jnp.broadcast_to(x, shape)  # noqa: E731
    kind = "fixed" if part.fixed else "stopped" if part.stopped else "linear"
    return Node(kind, shape, part.dtype, repeat, (part,), inputs=(part,))


def _number(equation: Any, inputs: list[Constant]) -> Any:
    """Return the one number of an equation's output, None where it has several or is not known."""
    name, numbers = equation.primitive.name, [i.number for i in inputs]
    if not numbers or any(n is None for n in numbers):
        return None
    if name in ("broadcast_in_dim", "reshape", "squeeze", "expand_dims", "copy"):
        return numbers[0]
    if name not in ELEMENTWISE:
        return None
    with jax.ensure_compile_time_eval():
        return np.asarray(evaluate(equation, [jnp.asarray(n) for n in numbers])[0])


def _node(equation: Any, inputs: list[Any], index: int, aval: Any) -> Node:
    nodes, name = distinct(inputs), equation.primitive.name
    about: dict[str, Any] = {"equation": equation, "inputs": tuple(inputs)}
    origin = common_origin(nodes, aval.shape) if name in ELEMENTWISE else None

    def node(kind: str, operands: tuple[Node, ...] = nodes, apply: Any = None) -> Node:
        function = apply or as_function(equation, inputs, index)
        return Node(kind, aval.shape, aval.dtype, function, operands, **about, origin=origin)

    varying = [i for i, x in enumerate(inputs) if isinstance(x, Node)]
    if all(n.stopped for n in nodes) and not (origin is not None and origin.kind != "stop"):
        return node("fixed" if all(n.fixed for n in nodes) else "stopped")
    if is_linear(equation, inputs, varying):
        return node("linear")
    if origin is not None:
        result = node("elementwise", (origin,))
        result.apply = as_function_of(result, origin)
        return result
    if jnp.issubdtype(aval.dtype, np.integer):
        return node("fixed")
    kind = _kind(name, inputs, varying, aval)
    if kind in PAIRED and len(varying) == 2:  # both operands may be one value
        both = (inputs[varying[0]], inputs[varying[1]])
        return node(kind, both, as_function(equation, inputs, index, by_place=True))
    return node(kind)


def is_linear(equation: Any, inputs: Sequence[Any], varying: list[int]) -> bool:
    """Return whether an equation is linear in its varying inputs together, up to a constant."""
    name = equation.primitive.name
    if name in BILINEAR or name == "convert_element_type":
        kinds = [inputs[i].floating for i in varying] + [
            jnp.issubdtype(v.aval.dtype, jnp.floating) for v in equation.outvars
        ]
        return len(varying) == 1 and all(kinds)
    if name not in LINEAR_IN:
        return name == "integer_pow" and equation.params["y"] == 1
    places = LINEAR_IN[name]
    if places is None:
        return True
    # an index that depends on the image is kept as it is there
    return all(i in places or inputs[i].fixed for i in varying)


def _kind(name: str, inputs: Sequence[Any], varying: list[int], aval: Any) -> str:
    if aval.dtype == np.bool_:
        return "predicate"
    if name in BILINEAR and len(varying) == 2:
        return "product"
    special = {"div": "quotient", "select_n": "select", "stop_gradient": "stop"}
    if name in special:
        return special[name]
    if name in MAXIMA or name in MINIMA:
        return "maximum" if name in MAXIMA else "minimum"
    return "unknown"
