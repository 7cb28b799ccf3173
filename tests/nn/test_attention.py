"""Attention: both forms against NumPy in float64, and the compiled reductions."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.compiler import INFERENCE
from salix.models import conv_form
from salix.nn.attention import attention

FORMS = ("explicit", "xla")


def random_heads(n: int, spread: float = 1.0) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(n)
    queries, keys, values = (rng.normal(size=(2, length, 3, 8)) for length in (5, n, n))
    return spread * queries, spread * keys, spread * values


def numpy_attention(q: Any, k: Any, v: Any) -> Any:
    out = np.zeros(q.shape)
    for b, i, h in np.ndindex(q.shape[:3]):
        weights = np.exp([q[b, i, h] @ key / np.sqrt(8) for key in k[b, :, h]])
        out[b, i, h] = weights @ v[b, :, h] / weights.sum()
    return out


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n", [1, 2, 31, 32, 33, 64, 65, 197])  # halves that meet or overlap
def test_output_is_the_mean_of_values_weighted_by_a_softmax(form: Any, n: int) -> None:
    case = random_heads(n)
    with conv_form(form):
        actual = jax.jit(attention)(*(jnp.asarray(x, jnp.float32) for x in case))
    assert actual.shape == case[0].shape
    np.testing.assert_allclose(actual, numpy_attention(*case), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("index", [0, 49, 50, 98, 99])
def test_large_products_do_not_overflow(index: int) -> None:
    q, k, v = (np.array(x, np.float32) for x in random_heads(100))
    k[:, index] = 1000 * q[:, 0]  # all attention of the first query
    with conv_form("explicit"):
        actual = attention(q, k, v)
    assert bool(jnp.isfinite(actual).all())
    np.testing.assert_allclose(actual[:, 0], v[:, index], rtol=1e-5)


def softmax_attention(q: Any, k: Any, v: Any) -> Any:
    weights = jax.nn.softmax(jnp.einsum("bqhd,bnhd->bhqn", q, k) * 8**-0.5, axis=-1)
    return jnp.einsum("bhqn,bnhd->bqhd", weights, v)


@pytest.mark.slow
def test_gradients_are_those_of_a_softmax() -> None:
    with jax.enable_x64(True), conv_form("explicit"):
        case, g = tuple(map(jnp.asarray, random_heads(40))), jnp.asarray(random_heads(41)[0])
        actual, expected = (jax.vjp(f, *case)[1](g) for f in (attention, softmax_attention))
        for a, b in zip(actual, expected, strict=True):
            assert float(jnp.abs(a).max()) > 0.01
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="how XLA reduces on the CPU")
def test_nothing_is_reduced_window_by_window() -> None:
    heads = jax.ShapeDtypeStruct((2, 197, 12, 64), jnp.float32)

    def windows(form: Any) -> bool:
        lowered = jax.jit(form).lower(heads, heads, heads)
        return "reduce-window" in lowered.compile(compiler_options=INFERENCE).as_text()

    assert not windows(attention)
    assert windows(
        softmax_attention
    )  # where XLA no longer does it, `_max_of_last` and the ones can go
