"""Compile a traced program with the options that suit it on its device."""

from typing import Any

import jax

from salix.engine.products import products

# On the CPU XLA has two libraries for convolutions. The one that it takes by itself shares its work
# among threads poorly: on two cores a network takes 1.1 to 1.2 times as long.
OTHER = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}


def compile_traced(traced: Any) -> Any:
    """Compile what `jax.jit(function).trace(...)` gave.

    The options hang on the program alone, so that every process compiles the same. A compiler that
    does not know them gets none.
    """
    lowered, options = traced.lower(), suited(traced.jaxpr)
    try:
        return lowered.compile(compiler_options=options or None)
    except jax.errors.JaxRuntimeError as error:
        if not options or "compile option" not in str(error):
            raise
        return lowered.compile()


def suited(jaxpr: Any) -> dict[str, str]:
    """Return the options for a program: the other library on the CPU, if it has convolutions."""
    on_cpu = jax.default_backend() == "cpu"
    return OTHER if on_cpu and any(p.convolution for p in products(jaxpr)) else {}
