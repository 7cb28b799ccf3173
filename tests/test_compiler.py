"""Compiler options of a program, their fallback, and product counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from salix import compiler, models
from salix.compiler import INFERENCE, TRAINING, Product, compile_traced, compiler_options, products
from salix.nn.conv import conv


def traced(network: str):
    model, params = models.load(network)
    to = model.preprocess
    image = jax.ShapeDtypeStruct((2, *to.size, to.channels), np.float32)
    return jax.jit(jax.vmap(model.logits, (None, 0))).trace(params, image)


def test_a_network_with_convolutions_gets_the_options_of_its_use():
    jaxpr = traced("resnet18").jaxpr
    assert compiler_options(jaxpr) == INFERENCE


@pytest.mark.parametrize(
    ("flags", "options"),
    [({"avx2", "fma"}, TRAINING), ({"avx2", "avx512f"}, {}), (set(), {})],
)
def test_training_options_depend_on_the_instruction_sets(monkeypatch, flags, options):
    monkeypatch.setattr(compiler, "cpu_flags", lambda: frozenset(flags))
    assert compiler_options(traced("resnet18").jaxpr, training=True) == options
    assert (
        compiler_options(jax.jit(jnp.dot).trace(*2 * [jnp.ones((9, 9))]).jaxpr, training=True) == {}
    )


def test_a_program_without_convolutions_gets_no_options():
    traced = jax.jit(jnp.dot).trace(jnp.ones((99, 99)), jnp.ones((99, 99)))
    assert compiler_options(traced.jaxpr) == {}


def test_another_device_gets_no_options(monkeypatch):
    program = traced("resnet18")
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert compiler_options(program.jaxpr) == {}


def chain(x, kernel):
    def step(carry, _):
        return conv(carry, kernel), None

    return jax.lax.scan(step, x, length=3)[0]


ARRAYS = (jnp.ones((2, 8, 8, 64)), jnp.ones((3, 3, 64, 64)) / 576)


@pytest.mark.parametrize("training", [False, True])
def test_the_options_reach_the_compiler_and_change_no_result(training, monkeypatch):
    monkeypatch.setattr(compiler, "cpu_flags", lambda: frozenset({"avx2"}))
    program = jax.jit(chain).trace(*ARRAYS)
    plain, chosen = program.lower().compile(), compile_traced(program, training=training)
    assert "__ynn" in plain.as_text()
    assert "__ynn" not in chosen.as_text()
    np.testing.assert_allclose(chosen(*ARRAYS), plain(*ARRAYS), rtol=1e-5)


def test_a_compiler_that_does_not_know_them_compiles_without(monkeypatch):
    monkeypatch.setattr(compiler, "INFERENCE", {"xla_cpu_of_another_year": "1"})
    compiled = compile_traced(jax.jit(chain).trace(*ARRAYS))
    assert compiled(*ARRAYS).shape == (2, 8, 8, 64)


def test_another_error_of_the_compiler_is_not_hidden(monkeypatch):
    monkeypatch.setattr(compiler, "INFERENCE", {"xla_cpu_use_onednn": "neither"})
    with pytest.raises(Exception, match="neither"):
        compile_traced(jax.jit(chain).trace(*ARRAYS))


def test_products_are_counted_with_the_iterations_of_their_scan():
    jaxpr = jax.make_jaxpr(chain)(*ARRAYS).jaxpr
    assert list(products(jaxpr)) == [Product(3 * 2 * (2 * 8 * 8 * 64) * 576, 32, True)]
    a, b = jnp.ones((3, 5), jnp.bfloat16), jnp.ones((5, 7), jnp.bfloat16)
    assert list(products(jax.make_jaxpr(jnp.dot)(a, b).jaxpr)) == [Product(2 * 3 * 5 * 7, 16)]


def test_bytes_are_those_of_operands_and_results_and_zeros_of_strides_are_no_flops():
    a, b = jnp.ones((3, 5), jnp.bfloat16), jnp.ones((5, 7), jnp.bfloat16)
    (product,) = products(jax.make_jaxpr(jnp.dot)(a, b).jaxpr)
    assert product.bytes == 2 * (3 * 5 + 5 * 7 + 3 * 7)
    image, kernel = jnp.ones((1, 8, 8, 2)), jnp.ones((4, 4, 2, 6))
    layout = ("NHWC", "HWIO", "NHWC")

    def halve(x):
        return lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=layout).sum()

    forward, backward = products(jax.make_jaxpr(jax.value_and_grad(halve))(image).jaxpr)
    assert forward.flops == 2 * (4 * 4 * 6) * (4 * 4 * 2)
    assert backward.flops == forward.flops  # each product of the forward pass, once more
    assert forward.bytes == 4 * (8 * 8 * 2 + 4 * 4 * 2 * 6 + 4 * 4 * 6)
