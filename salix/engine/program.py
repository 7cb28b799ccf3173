"""The compiled step of a problem: batched, sharded over the devices, with its FLOPs."""

from collections.abc import Callable
from dataclasses import replace
from math import isfinite, prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from salix.compiler import compile_traced
from salix.engine.flops import count_flops
from salix.engine.problem import Problem
from salix.precision import computed_in
from salix.typing import Column, Index, InputError, Params


def micro_batch(problem: Problem, batch_size: int) -> int:
    """Return how many examples one execution of the program computes.

    On the CPU it is 8, the size at which convolutions are fastest, or 1 for large examples, for
    every batch size: the same program then gives the same bits, and no pixel of an 8-bit map is
    rounded to another value. Batches are rounded up to whole micro-batches, so that an example also
    has the same slot in them. An accelerator computes the whole batch, where its memory suffices:
    see `salix.engine.step.Step`.
    """
    if jax.default_backend() != "cpu":
        return batch_size
    largest = max((prod(leaf.shape) for leaf in jax.tree.leaves(problem.example)), default=0)
    return 8 if largest <= 2**20 else 1


def abstract_arguments(problem: Problem, params: Params, batch: int) -> tuple[Any, ...]:
    """Return the shapes and types of the step's arguments."""
    shape = jax.ShapeDtypeStruct
    return (
        jax.tree.map(lambda a: shape(np.shape(a), a.dtype), params),
        jax.tree.map(lambda leaf: shape((batch, *leaf.shape), leaf.dtype), problem.example),
        shape((batch,), bool),
        shape((batch,), np.uint32),
        shape((), np.uint32),
    )


def batched(problem: Problem) -> Callable[..., dict[str, Any]]:
    """Return the step over a batch: (params, examples, valid, hashes, seed) -> columns.

    Random keys are folded from the seed and the hash of the example's id, so that a row depends on
    its example alone. Slots without an example are zero.
    """

    def step(params: Params, examples: Any, valid: Any, hashes: Any, seed: Index) -> dict[str, Any]:
        keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), hashes)
        # What is measured is exact, whatever precision the problem gives its model.
        with computed_in("float32"):
            rows = jax.vmap(problem.row, (None, 0, 0))(params, examples, keys)
        return jax.tree.map(lambda column: _mask(valid, _storable(column)), rows)

    return step


def _mask(valid: Any, column: Any) -> Any:
    return jnp.where(
        valid.reshape((-1,) + (1,) * (column.ndim - 1)), column, jnp.zeros_like(column)
    )


def _storable(column: Any) -> Any:
    column = jnp.asarray(column)
    return column.astype(jnp.float32) if column.dtype == jnp.bfloat16 else column


def trace_step(problem: Problem, arguments: tuple[Any, ...], mesh: Mesh) -> Any:
    """Trace the batched step, the batch split over the mesh: `out_info` describes its columns.

    Its first argument is the list of the parameters' leaves: flattening a pytree in every call is
    slow where its nodes are Python classes.
    """
    replicated, split = NamedSharding(mesh, P()), NamedSharding(mesh, P("batch"))
    shardings = (replicated, split, split, split, replicated)
    function, (leaves, structure) = batched(problem), jax.tree.flatten(arguments[0])

    def step(leaves: list[Any], *rest: Any) -> dict[str, Any]:  # its name in profiles and caches
        return function(structure.unflatten(leaves), *rest)

    return jax.jit(step, in_shardings=shardings).trace(leaves, *arguments[1:])


def compile_step(problem: Problem, arguments: tuple[Any, ...], mesh: Mesh) -> Any:
    """Compile the step that `trace_step` traces; it never compiles again."""
    return compile_traced(trace_step(problem, arguments, mesh))


def cost(compiled: Any) -> dict[str, float]:
    """Return the FLOPs of a compiled step, where its text shows them."""
    flops = count_flops(compiled.as_text())
    return {"step_flops": flops.total} if isfinite(flops.total) else {}


def stored_columns(described: tuple[Column, ...], traced: dict[str, Any]) -> tuple[Column, ...]:
    """Return the columns of a traced row: their descriptions with the traced shapes and types.

    Raises `InputError` for a description without its value, or of another shape.
    """
    columns = {c.name: c for c in described}
    if lacking := [name for name in columns if name not in traced]:
        raise InputError(f"the problem describes {', '.join(lacking)}, its row has no such value")
    stored = []
    for name in [*columns, *(n for n in traced if n not in columns)]:
        column, shape = columns.get(name, Column(name)), traced[name].shape[1:]
        dtype = np.dtype(traced[name].dtype).name
        if column.shape not in ((), shape):
            raise InputError(f"{name} is described as {column.shape}, the row's value is {shape}")
        axes = tuple(f"axis {i}" for i in range(len(shape)))
        by_axis = (column.axis,) if column.axis and len(shape) == 1 else axes
        dims = column.dims if len(column.dims) == len(shape) else by_axis
        stored.append(replace(column, shape=shape, dims=dims, dtype=dtype))
    return tuple(stored)
