"""Ahead-of-time compilation of a workload for a batch, and its FLOPs."""

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

    `passes` counts forward and backward passes of the model for each image. `flops` counts a
    batch, a multiply-add as two, in the compiled program; NaN if a library call hides them.
    `leaves` are the flat parameters, because flattening a tree in Python is slow. `extra` are the
    arguments after the images.
    """

    compiled: Any
    leaves: tuple[Any, ...]
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
    """Compile `function(params, images, *extra)` for the shape of `images`, in a precision."""
    leaves, tree = jax.tree.flatten(round_kernels(params, precision))
    leaves = tuple(jax.device_put(leaves))

    def flat(leaves: tuple[Any, ...], *rest: Any) -> Any:
        return function(tree.unflatten(leaves), *rest)

    arguments = (leaves, images, *extra)
    with computed_in(precision):
        start = time.perf_counter()
        program = compile_traced(jax.jit(flat).trace(*arguments))
        seconds = time.perf_counter() - start
        flops = count(flat, arguments, program.as_text())
    return WorkloadProgram(program, leaves, extra, passes, seconds, flops)


def count(function: Callable[..., Any], arguments: Any, text: str | None) -> float:
    """Return the FLOPs of a function from the text of its program; NaN if they are hidden.

    A call to a library hides FLOPs. Then the same function is compiled for the CPU and counted in
    that program.
    """
    total = count_flops(text or "").total
    if not isfinite(total) and jax.default_backend() != "cpu":
        total = count_flops(_for_cpu(function, arguments) or "").total
    return total if isfinite(total) else nan


def _for_cpu(function: Callable[..., Any], arguments: Any) -> str | None:
    cpu = SingleDeviceSharding(jax.local_devices(backend="cpu")[0])
    on_cpu = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=cpu), arguments)
    # The program never runs: the fastest compilation is the best.
    options: dict[str, str | bool] = {"xla_backend_optimization_level": "0"}
    return jax.jit(function).lower(*on_cpu).compile(options).as_text()
