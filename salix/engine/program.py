"""The compiled program of a sweep: its size, its arguments, its places on the devices."""

from dataclasses import dataclass
from math import isfinite, prod
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from salix.compiler import compile_traced
from salix.data import Batch, Source
from salix.engine.classification import Task, batched
from salix.engine.flops import operations
from salix.model import Model
from salix.typing import Params


def micro_batch(model: Model, batch_size: int) -> int:
    """Return how many images one run of the program explains.

    On the CPU it is 8, the size at which convolutions are fastest, or 1 for large images, whatever
    the batch size: the same program then gives the same bits, and no cell of an 8-bit map falls on
    the other side of a step. An accelerator takes the whole batch.
    """
    if jax.default_backend() != "cpu":
        return batch_size
    return 8 if prod(model.preprocess.size) * model.preprocess.channels <= 2**20 else 1


def abstract_arguments(model: Model, params: Params, source: Source, batch: int) -> tuple[Any, ...]:
    """Return the shapes and types of the step's arguments."""
    to = model.preprocess
    shape = jax.ShapeDtypeStruct
    return (
        jax.tree.map(lambda a: shape(np.shape(a), a.dtype), params),
        shape((batch, *to.size, to.channels), np.uint8),
        shape((batch, *to.size), np.uint8) if source.has_reference_masks else None,
        shape((batch,), bool),
        shape((batch,), np.uint32),
        shape((), np.uint32),
    )


def trace_step(task: Task, arguments: tuple[Any, ...], mesh: Mesh) -> Any:
    """Trace the batched step, the batch split over the mesh: `out_info` holds its columns.

    It takes the leaves of the parameters: taking a tree apart is slow where Python describes it.
    """
    whole, split = NamedSharding(mesh, P()), NamedSharding(mesh, P("batch"))
    places = (whole, split, split, split, split, whole)
    whole_step, (leaves, tree) = batched(task), jax.tree.flatten(arguments[0])

    def step(leaves: list[Any], *rest: Any) -> dict[str, Any]:
        return whole_step(tree.unflatten(leaves), *rest)

    return jax.jit(step, in_shardings=places).trace(leaves, *arguments[1:])


def compile_step(task: Task, arguments: tuple[Any, ...], mesh: Mesh) -> Any:
    """Compile the step that `trace_step` traces; it never compiles again."""
    return compile_traced(trace_step(task, arguments, mesh))


def cost(compiled: Any) -> dict[str, float]:
    """Return the operations of a compiled step, in convolutions and products, where it shows."""
    found = operations(compiled.as_text())
    total = found.convolutions + found.products
    return {"step_flops": total} if isfinite(total) else {}


@dataclass(frozen=True)
class Step:
    """The compiled program and what stays the same from batch to batch, on the devices."""

    program: Any
    leaves: list[Any]
    seed: Any
    micro: int

    @staticmethod
    def of(program: Any, params: Params, seed: int, micro: int, mesh: Mesh) -> "Step":
        """Send the parameters and the seed to the devices of a mesh."""
        constant = (jax.tree.leaves(params), np.uint32(seed))
        leaves, sent = jax.device_put(constant, NamedSharding(mesh, P()))
        return Step(program, leaves, sent, micro)

    def __call__(self, batch: Batch, hashes: np.ndarray) -> list[dict[str, Any]]:
        """Start the program on each micro-batch of a batch; nothing is waited for."""
        arrays = (batch.images, batch.reference_masks, batch.valid, hashes)
        started = []
        for first in range(0, len(batch.indices), self.micro):
            part = jax.tree.map(lambda a, at=first: a[at : at + self.micro], arrays)
            started.append(self.program(self.leaves, *part, self.seed))  # it sends the part itself
        return started
