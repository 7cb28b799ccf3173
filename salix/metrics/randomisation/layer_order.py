"""Layers of a model in the order in which a pass uses them, from its traced program."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Literal

from salix.hyperparameters import check_value, integer
from salix.typing import Explainer, Image, InputError

Leaves = frozenset[int]
NONE: Leaves = frozenset()


def layer_groups(explain: Explainer, image: Image, depth: int = 1) -> list[list[int]]:
    """Return the parameters of each layer, as places in the pytree, from input to output.

    A layer is what shares the first `depth` keys of its path, counted from where the pytree first
    branches. Layers are in the order in which a pass of the image first uses one of their arrays;
    those that it does not use, and arrays that are not floating-point numbers, are left out. Raises
    `InputError` for parameters that no pass uses.
    """
    check_value("depth", depth, integer(1))
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(explain.params)]
    leaves = jax.tree.leaves(explain.params)
    shared = 0
    while len({path[: shared + 1] for path in paths}) == 1 and len(paths[0]) > shared + 1:
        shared += 1
    groups: dict[Any, list[int]] = {}
    for place in _use_order(explain, image):
        if jnp.issubdtype(jnp.result_type(leaves[place]), jnp.floating):
            groups.setdefault(paths[place][: shared + depth], []).append(place)
    if not groups:
        raise InputError(
            "no array of the parameters is used in a pass of the model, so that none can be "
            "randomised: give the weights as params, not in the model's functions"
        )
    return list(groups.values())


def _use_order(explain: Explainer, image: Image) -> list[int]:
    """Return the places of the parameters in the order in which they first meet the image."""
    params, structure = jax.tree.flatten(explain.params)

    def logits(image: Image, *leaves: Any) -> Any:
        return explain.with_params(jax.tree.unflatten(structure, leaves))(image).logits

    program = jax.make_jaxpr(logits)(image, *params).jaxpr
    order: dict[int, None] = {}
    _walk(program, [(True, NONE), *((False, frozenset({i})) for i in range(len(params)))], order)
    return list(order)


def _walk(
    program: Any, inputs: list[tuple[bool, Leaves]], order: dict[int, None]
) -> list[tuple[bool, Leaves]]:
    """Record in `order` the parameters that meet the image, and return the state of the outputs.

    The state of a value is whether it depends on the image, and else the parameters that it is
    computed from: kernels that are cast or folded before the first layer keep their place.
    """
    state = dict(zip(program.invars, inputs, strict=True))

    def read(variable: Any) -> tuple[bool, Leaves]:
        return (
            (False, NONE) if isinstance(variable, Literal) else state.get(variable, (False, NONE))
        )

    for equation in program.eqns:
        values = [read(v) for v in equation.invars]
        inner = next((v for v in equation.params.values() if hasattr(v, "eqns")), None)
        inner = getattr(inner, "jaxpr", inner)
        if equation.primitive.name == "optimization_barrier":
            results = values
        elif inner is not None and len(inner.invars) == len(values) and _is_call(equation):
            results = _walk(inner, values, order)
        else:
            leaves = frozenset[int]().union(*(v[1] for v in values))
            on_image = any(v[0] for v in values)
            if on_image:
                order.update(dict.fromkeys(sorted(leaves)))
            results = [(on_image, NONE if on_image else leaves)] * len(equation.outvars)
        state.update(zip(equation.outvars, results, strict=True))
    return [read(v) for v in program.outvars]


def _is_call(equation: Any) -> bool:
    """Return whether an equation is a function called once: neither a loop nor a branch."""
    return equation.primitive.name not in ("scan", "while", "cond")
