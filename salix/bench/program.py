"""Workload of a model, compiled ahead of time for a batch, with its FLOPs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

import jax
from jax.sharding import SingleDeviceSharding

from salix.compiler import compile_traced
from salix.engine.flops import count_flops
from salix.nn import round_kernels
from salix.precision import Precision, computed_in
from salix.typing import Params


@dataclass(frozen=True)
class WorkloadProgram:
    """A compiled workload over a batch, with its passes and FLOPs.

    `passes` are passes of the model for each image, forward or back. `flops` are those of a batch,
    two for each multiply-add, counted in the compiled program; NaN where they are hidden. `leaves`
    are those of the parameters, as flattening a tree in Python is slow. `extra` are the arguments
    after the images.
    """

    compiled: Any
    leaves: list[Any]
    extra: tuple[Any, ...]
    passes: int
    compile_seconds: float
    flops: float

    def run(self, images: Any) -> Any:
        """Start a run on preprocessed images [b h w c], without waiting for it."""
        return self.compiled(self.leaves, images, *self.extra)


def compiled(
    function: Callable[..., Any],
    params: Params,
    images: Any,
    extra: tuple[Any, ...],
    passes: int,
    precision: Precision,
) -> WorkloadProgram:
    """Compile `function(params, images, *extra)` once, for images of a shape, in a precision."""
    leaves, tree = jax.tree.flatten(round_kernels(params, precision))
    leaves = jax.device_put(leaves)

    def flat(leaves: list[Any], *rest: Any) -> Any:
        return function(tree.unflatten(leaves), *rest)

    arguments = (leaves, images, *extra)
    with computed_in(precision):
        start = time.perf_counter()
        program = compile_traced(jax.jit(flat).trace(*arguments))
        seconds = time.perf_counter() - start
        flops = count(flat, arguments, program.as_text())
    return WorkloadProgram(program, leaves, extra, passes, seconds, flops)


def count(function: Callable[..., Any], arguments: Any, text: str | None) -> float:
    """Return the operations of a function, given the text of its program; NaN if nothing shows.

    A program that calls a library hides them. Then the same trace is compiled for the CPU, whose
    text shows them.
    """
    found = _total(text)
    if not isfinite(found) and jax.default_backend() != "cpu":
        found = _total(_for_cpu(function, arguments))
    return found if isfinite(found) else nan


def _total(text: str | None) -> float:
    return count_flops(text or "").total


def _for_cpu(function: Callable[..., Any], arguments: Any) -> str | None:
    place = SingleDeviceSharding(jax.local_devices(backend="cpu")[0])
    there = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=place), arguments
    )
    # Nothing runs it: machine code may be poor, if it is made sooner.
    options: dict[str, str | bool] = {"xla_backend_optimization_level": "0"}
    return jax.jit(function).lower(*there).compile(options).as_text()
