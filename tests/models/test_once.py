"""Values computed once: they and their gradients, and where the compiled program has them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.models import conv_form
from salix.models.once import once, relu
from salix.models.pool import max_pool

on_cpu = pytest.mark.skipif(jax.default_backend() != "cpu", reason="what XLA joins on the CPU")


def test_a_rectified_value_and_its_gradient_are_those_of_jax() -> None:
    x = jnp.array([-np.inf, -1.5, -0.0, 0.0, 1e-30, 2.0, np.inf, np.nan], jnp.float32)
    np.testing.assert_array_equal(relu(x), jax.nn.relu(x))
    g = jnp.arange(1.0, 9.0)
    found, expected = (jax.vjp(f, x)[1](g)[0] for f in (relu, jax.nn.relu))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found, [0, 0, 0, 0, 5, 6, 7, 0])


def test_forward_mode_is_left_where_xla_chooses_the_forms() -> None:
    x = jnp.array([-1.0, 2.0])
    with conv_form("xla"):
        _, change = jax.jvp(relu, (x,), (jnp.ones(2),))
    np.testing.assert_array_equal(change, [0, 1])


def test_once_repeats_the_first_channel() -> None:
    x = jnp.arange(6).reshape(1, 2, 3)
    np.testing.assert_array_equal(once(x), [[[0, 1, 2, 0], [3, 4, 5, 3]]])


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
    assert sums(jax.nn.relu) > 5  # where XLA no longer does it, `once.relu` can go


@on_cpu
def test_what_reaches_a_pool_in_reverse_is_computed_once() -> None:
    x, w = jnp.ones((2, 16, 16, 8)), jnp.ones((2, 8, 8, 8))

    def gradient(x: Any, v: Any, w: Any) -> Any:
        return jax.vjp(lambda x: max_pool(x, 3, 2, 1), x)[1](v * w)[0]

    with conv_form("explicit"):
        loops = compiled(gradient, x, w, w).split("\n}\n")
    assert any(" multiply(" in loop for loop in loops)
    assert not any(" multiply(" in loop and " select(" in loop for loop in loops)
