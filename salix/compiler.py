"""Compilation of traced programs, with the convolution library of the CPU that suits them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import jax

# Which operations XLA's CPU compiler gives to YNNPACK, instead of Eigen and its own loops.
_OPTION = "xla_cpu_experimental_ynn_fusion_type"
# Convolutions by Eigen: YNNPACK, the default, divides their work poorly among threads, so that on
# two cores a network takes 1.1 to 1.2 times as long.
INFERENCE = {_OPTION: "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}
# On x86 CPUs without AVX-512 a training step of a small network takes 0.6 times as long by Eigen.
# It also reduces activations to statistics and bias gradients, which XLA's own loops do slowly:
# reductions stay with YNNPACK. With AVX-512 the default stands: against it this takes 1.15 times
# the CPU time for the network of the demo, 0.85 for ResNet-50, 1.0 for DenseNet-121, and without
# the reductions 1.3 to 1.6 times for all three.
TRAINING = {_OPTION: "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE"}


@dataclass(frozen=True)
class Product:
    """One matrix product or convolution of a program, with its FLOPs, two for each term.

    Terms with the zeros of a dilated input, as in a stride's gradient, are left out. `bytes` are
    those of its operands and its result, each read or written once.
    """

    flops: int
    bits: int  # of the wider operand
    convolution: bool = False
    bytes: int = field(default=0, compare=False)


def compile_traced(traced: Any, *, training: bool = False) -> Any:
    """Compile the result of `jax.jit(function).trace(...)`.

    The options depend on the program, its use and the device alone, so that every process compiles
    the same. A compiler that does not know them compiles without.
    """
    lowered, options = traced.lower(), compiler_options(traced.jaxpr, training=training)
    try:
        return lowered.compile(compiler_options=options or None)
    except jax.errors.JaxRuntimeError as error:
        if not options or "compile option" not in str(error):
            raise
        return lowered.compile()


def compiler_options(jaxpr: Any, *, training: bool = False) -> dict[str, str]:
    """Return the compiler options for a program; none without convolutions, or for accelerators."""
    if jax.default_backend() != "cpu" or not any(p.convolution for p in products(jaxpr)):
        return {}
    if training:
        return TRAINING if cpu_flags() & {"avx2", "avx512f"} == {"avx2"} else {}
    return INFERENCE


@cache
def cpu_flags() -> frozenset[str]:
    """Return the names of the CPU's instruction sets, as Linux lists them for x86."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return frozenset(
        name for line in lines[:99] if line.startswith("flags") for name in line.split()
    )


def products(jaxpr: Any, times: int = 1) -> Iterator[Product]:
    """Yield the matrix products and convolutions of a jaxpr, with the FLOPs of all iterations."""
    for equation in jaxpr.eqns:
        if product := product_of(equation, times):
            yield product
        for inner in inner_jaxprs(equation):
            yield from products(inner, times * equation.params.get("length", 1))  # of a scan


def product_of(equation: Any, times: int = 1) -> Product | None:
    """Return the product of an equation that runs so many times, None if it is another one."""
    params, terms = equation.params, 0
    convolution = equation.primitive.name == "conv_general_dilated"
    if equation.primitive.name == "dot_general":
        (summed, _), _ = params["dimension_numbers"]
        terms = prod(equation.invars[0].aval.shape[axis] for axis in summed)
    elif convolution:
        kernel = equation.invars[1].aval
        terms = kernel.size // kernel.shape[params["dimension_numbers"].rhs_spec[0]]
        terms = max(1, terms // prod(params["lhs_dilation"]))
    if not terms:
        return None
    result, moved = equation.outvars[0].aval, (*equation.invars, *equation.outvars)
    bits = max(8 * operand.aval.dtype.itemsize for operand in equation.invars)
    traffic = times * sum(v.aval.size * v.aval.dtype.itemsize for v in moved)
    return Product(2 * times * result.size * terms, bits, convolution, traffic)


def inner_jaxprs(equation: Any) -> list[Any]:
    """Return the jaxprs that an equation calls."""
    leaves = jax.tree.leaves(list(equation.params.values()), is_leaf=_is_jaxpr)
    return [getattr(leaf, "jaxpr", leaf) for leaf in leaves if _is_jaxpr(leaf)]


def _is_jaxpr(value: Any) -> bool:
    return hasattr(value, "eqns")
