"""The options that a program is compiled with: of the program alone, and never in the way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix import models
from salix.engine import compiler
from salix.engine.compiler import OTHER, compile_traced, suited
from salix.engine.products import Product, products
from salix.nn.conv import conv


def traced(network: str):
    model, params = models.load(network)
    to = model.preprocess
    image = jax.ShapeDtypeStruct((2, *to.size, to.channels), np.float32)
    return jax.jit(jax.vmap(model.logits, (None, 0))).trace(params, image)


def test_a_network_takes_the_other_library():
    assert suited(traced("resnet18").jaxpr) == OTHER


def test_a_program_without_convolutions_is_left_alone():
    assert suited(jax.jit(jnp.dot).trace(jnp.ones((99, 99)), jnp.ones((99, 99))).jaxpr) == {}


def test_another_device_is_left_alone(monkeypatch):
    program = traced("resnet18")
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert suited(program.jaxpr) == {}


def chain(x, kernel):
    def turn(held, _):
        return conv(held, kernel), None

    return jax.lax.scan(turn, x, length=3)[0]


ARRAYS = (jnp.ones((2, 8, 8, 64)), jnp.ones((3, 3, 64, 64)) / 576)


def test_the_options_reach_the_compiler_and_change_no_result():
    program = jax.jit(chain).trace(*ARRAYS)
    plain, suiting = program.lower().compile(), compile_traced(program)
    assert "__ynn" in plain.as_text()
    assert "__ynn" not in suiting.as_text()
    np.testing.assert_allclose(suiting(*ARRAYS), plain(*ARRAYS), rtol=1e-5)


def test_a_compiler_that_does_not_know_them_compiles_without(monkeypatch):
    monkeypatch.setattr(compiler, "OTHER", {"xla_cpu_of_another_year": "1"})
    found = compile_traced(jax.jit(chain).trace(*ARRAYS))
    assert found(*ARRAYS).shape == (2, 8, 8, 64)


def test_another_error_of_the_compiler_is_not_hidden(monkeypatch):
    monkeypatch.setattr(compiler, "OTHER", {"xla_cpu_use_onednn": "neither"})
    with pytest.raises(Exception, match="neither"):
        compile_traced(jax.jit(chain).trace(*ARRAYS))


def test_products_are_counted_with_the_turns_of_their_scan():
    jaxpr = jax.make_jaxpr(chain)(*ARRAYS).jaxpr
    assert list(products(jaxpr)) == [Product(3 * 2 * (2 * 8 * 8 * 64) * 576, 32, True)]
    a, b = jnp.ones((3, 5), jnp.bfloat16), jnp.ones((5, 7), jnp.bfloat16)
    assert list(products(jax.make_jaxpr(jnp.dot)(a, b).jaxpr)) == [Product(2 * 3 * 5 * 7, 16)]
