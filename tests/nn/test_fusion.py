"""ReLU and materialised values: results, gradients, and how often the program computes them."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix import models
from salix.models import conv_form, resnet
from salix.nn import max_pool, relu
from salix.nn.conv import conv
from salix.nn.fusion import materialise
from salix.precision import precision

on_cpu = pytest.mark.skipif(jax.default_backend() != "cpu", reason="fusion of XLA on the CPU")


def test_relu_and_its_gradient_are_those_of_jax() -> None:
    x = jnp.array([-np.inf, -1.5, -0.0, 0.0, 1e-30, 2.0, np.inf, np.nan], jnp.float32)
    np.testing.assert_array_equal(relu(x), jax.nn.relu(x))
    g = jnp.arange(1.0, 9.0)
    actual, expected = (jax.vjp(f, x)[1](g)[0] for f in (relu, jax.nn.relu))
    np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(actual, [0, 0, 0, 0, 5, 6, 7, 0])


def as_in_16_bits(x: Any) -> Any:
    return jnp.asarray(x).astype(jnp.bfloat16).astype(jnp.float32)


def test_values_that_only_convolutions_read_have_16_bits() -> None:
    ends = [-np.inf, -1e-40, -0.0, 0.0, 1.00390625, np.inf, np.nan, -np.nan]
    x = jnp.array([*ends, *np.random.default_rng(0).normal(size=100)], jnp.float32)
    g = jax.random.normal(jax.random.key(0), x.shape)
    with precision("bfloat16_dots"):
        exact, pull = jax.vjp(relu, x)
        rounded, pull_rounded = jax.vjp(lambda x: relu(x, convolved=True), x)
    np.testing.assert_array_equal(exact, jax.nn.relu(x))
    np.testing.assert_array_equal(rounded, as_in_16_bits(jax.nn.relu(x)))
    assert exact.dtype == rounded.dtype == jnp.float32
    assert (rounded != exact).sum() > 30
    numbers = ~np.isnan(x)
    for actual in (pull(g)[0], pull_rounded(g)[0]):
        np.testing.assert_array_equal(
            actual[numbers], jnp.where(x > 0, as_in_16_bits(g), 0)[numbers]
        )
    with precision("float32"):  # everywhere else nothing is rounded
        np.testing.assert_array_equal(relu(x, convolved=True), jax.nn.relu(x))


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize(
    "name", ["cifar_resnet8", pytest.param("resnet18", marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_16_bit_relus_change_no_logit(name: str, folded: bool, monkeypatch: Any) -> None:
    model, params = models.load(name, classes=["a", "b"], folded=folded)
    x = jax.random.normal(jax.random.key(0), (64, 64, 3))

    def logits_and_map() -> Any:
        with precision("bfloat16_dots"):
            return jax.jit(jax.value_and_grad(lambda x: model.logits(params, x)[0]))(x)

    actual, actual_map = logits_and_map()
    monkeypatch.setattr(resnet, "relu", lambda x, convolved=False: jax.nn.relu(x))
    expected, expected_map = logits_and_map()
    np.testing.assert_array_equal(actual, expected)
    # the sums around blocks are rounded where they were not: by 2^-9, up to 16 times
    assert np.corrcoef(actual_map.ravel(), expected_map.ravel())[0, 1] > 0.9999
    assert bool((actual_map != expected_map).any())


@on_cpu
def test_16_bit_relus_compile_to_selects_of_bits() -> None:
    x, w = jnp.ones((4, 8, 8, 32)), jnp.ones((3, 1, 1, 32, 32))

    def chain(x: Any, w: Any) -> Any:
        for kernel in w:
            x = relu(conv(x, kernel), convolved=True)
        return x.sum()

    with precision("bfloat16_dots"):
        text = compiled(jax.grad(chain), x, w)
    selects = re.findall(r"(\w+)\[4,8,8,32\]\S* select\(", text)
    assert selects
    assert set(selects) == {"s16"}


def test_relu_has_a_forward_mode_in_the_xla_form() -> None:
    x = jnp.array([-1.0, 2.0])
    with conv_form("xla"):
        _, change = jax.jvp(relu, (x,), (jnp.ones(2),))
    np.testing.assert_array_equal(change, [0, 1])


def test_materialise_repeats_the_first_channel() -> None:
    x = jnp.arange(6).reshape(1, 2, 3)
    np.testing.assert_array_equal(materialise(x), [[[0, 1, 2, 0], [3, 4, 5, 3]]])


def compiled(function: Any, *args: Any) -> str:
    return jax.jit(function).lower(*args).compile().as_text()


@on_cpu
def test_a_chain_of_residual_blocks_has_one_sum_a_block() -> None:
    x, matrices = jnp.ones((64, 32)), jnp.ones((5, 32, 32))

    def chain(x: Any, matrices: Any, rectify: Any) -> Any:
        for matrix in matrices:
            x = rectify(x @ matrix + x)
        return x @ matrices[0]

    def sums(rectify: Any) -> int:
        return compiled(lambda x, m: chain(x, m, rectify), x, matrices).count(" add(")

    assert sums(relu) == 5
    assert sums(jax.nn.relu) > 5  # where XLA no longer does it, `fusion.relu` can go


@on_cpu
def test_the_gradient_into_a_pool_is_computed_once() -> None:
    x, w = jnp.ones((2, 16, 16, 8)), jnp.ones((2, 8, 8, 8))

    def gradient(x: Any, v: Any, w: Any) -> Any:
        return jax.vjp(lambda x: max_pool(x, 3, 2, padding=1), x)[1](v * w)[0]

    with conv_form("explicit"):
        loops = compiled(gradient, x, w, w).split("\n}\n")
    assert any(" multiply(" in loop for loop in loops)
    assert not any(" multiply(" in loop and " select(" in loop for loop in loops)
