"""Measured ceilings of a device: FLOP/s of matrix products and bytes/s of memory."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan, prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from salix.precision import LAX_PRECISION
from salix.typing import InputError

Shape = tuple[int, int, int]  # m, k, n: [m k] times [k n]

# Types of operands and result, as in the products of `salix.nn.conv`.
DOTS: dict[str, tuple[Any, Any]] = {
    "float32": (jnp.float32, None),
    "tf32": (jnp.float32, None),
    "bfloat16": (jnp.bfloat16, None),
    "bfloat16_dots": (jnp.bfloat16, jnp.float32),
}
# A square product; 3x3 convolutions of 128 channels on 28x28 and 256 on 14x14; a 1x1 convolution.
# The convolutions have a batch of 8 on the CPU, of 128 on an accelerator.
CPU: tuple[Shape, ...] = (
    (1024, 1024, 1024),
    (6272, 1152, 128),
    (1568, 2304, 256),
    (1568, 1024, 256),
)
ACCELERATOR: tuple[Shape, ...] = (
    (8192, 8192, 8192),
    (100352, 1152, 128),
    (25088, 2304, 256),
    (25088, 1024, 256),
)
STREAM = 2**30  # bytes, larger than any cache


@dataclass(frozen=True)
class Roofline:
    """Ceilings of a device: FLOP/s of matrix products by precision, and bytes/s of memory.

    A multiply-add is two FLOPs. `copy` counts bytes read and bytes written. `shapes` has the
    fastest (m, k, n) of each precision.
    """

    gemm: Mapping[str, float]
    copy: float
    shapes: Mapping[str, Shape]

    def percent(self, flops_per_second: float, precision: str) -> float:
        """Return a rate in percent of the ceiling; NaN for a precision that was not measured."""
        return 100 * flops_per_second / self.gemm.get(precision, nan)

    def ridge(self, precision: str) -> float:
        """Return the arithmetic intensity, in FLOPs per byte, below which memory is the limit."""
        return self.gemm.get(precision, nan) / self.copy


def roofline(
    *,
    precisions: Sequence[str] = ("float32",),
    seconds: float = 0.3,
    shapes: Sequence[Shape] | None = None,
    stream: int = STREAM,
) -> Roofline:
    """Measure the ceilings of the first device, from the fastest of repeated runs.

    Each program is repeated for `seconds`, at least once. The default `shapes` are a square and
    those of convolutions; `stream` is a number of bytes. A precision that the device lacks (tf32
    on the CPU) is omitted. Raises `InputError` for an unknown precision.
    """
    if unknown := [p for p in precisions if p not in DOTS]:
        raise InputError(f"{unknown[0]!r} is none of {', '.join(DOTS)}")
    on_cpu = jax.default_backend() == "cpu"
    shapes = shapes or (CPU if on_cpu else ACCELERATOR)
    supported = [p for p in precisions if not (on_cpu and p == "tf32")]
    rates: dict[str, dict[Shape, float]] = {p: {} for p in supported}
    for shape in shapes:
        a, b = operands(shape)
        for precision in supported:
            program, *arguments = product(a, b, precision)
            spent = best(program, *arguments, seconds=seconds)
            rates[precision][shape] = 2 * prod(shape) / spent
    fastest: dict[str, Shape] = {
        p: max(by_shape, key=lambda shape: by_shape[shape]) for p, by_shape in rates.items()
    }
    gemm: dict[str, float] = {p: max(by_shape.values()) for p, by_shape in rates.items()}
    values = jnp.ones(stream // 4, jnp.float32)
    negate = jax.jit(jnp.negative, donate_argnums=0).lower(values).compile()
    return Roofline(gemm, 2 * values.nbytes / best(negate, values, seconds=seconds), fastest)


def operands(shape: Shape) -> tuple[Any, Any]:
    """Return random matrices [m k] and [k n]; some devices multiply zeros faster."""
    (m, k, n), draw = shape, np.random.default_rng(0)
    a, b = (draw.standard_normal(size, np.float32) for size in ((m, k), (k, n)))
    return jnp.asarray(a), jnp.asarray(b)


def product(a: Any, b: Any, precision: str) -> tuple[Any, ...]:
    """Return a compiled matrix product and its arguments: the result's buffer and the operands."""
    operand, result = DOTS[precision]
    a, b = a.astype(operand), b.astype(operand)

    def multiply(buffer: Any, a: Any, b: Any) -> Any:
        return lax.dot_general(a, b, (((1,), (0,)), ((), ())), LAX_PRECISION[precision], result)

    buffer = jnp.zeros((a.shape[0], b.shape[1]), result or operand)
    # Each result reuses the buffer of the last: allocating memory costs time of its own.
    jitted = jax.jit(multiply, donate_argnums=0, keep_unused=True)
    return jitted.lower(buffer, a, b).compile(), buffer, a, b


def best(program: Callable[..., Any], buffer: Any, *rest: Any, seconds: float) -> float:
    """Return the shortest time of `buffer = program(buffer, *rest)`, in seconds.

    Runs are timed in groups that are started without waiting, which hides the cost of starting.
    """
    buffer = jax.block_until_ready(program(buffer, *rest))
    fewest, count, end = float("inf"), 1, time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        for _ in range(count):
            buffer = program(buffer, *rest)
        jax.block_until_ready(buffer)
        now = time.perf_counter()
        fewest = min(fewest, (now - start) / count)
        if now > end:
            return fewest
        count = max(1, min(100, int(0.02 / fewest)))
