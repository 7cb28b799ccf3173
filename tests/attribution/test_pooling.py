"""Channel pooling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from salix.attribution import pool
from salix.attribution.pooling import POOLINGS
from salix.typing import InputError

SLOW = {
    "abs_sum": lambda v: sum(abs(x) for x in v),
    "abs_max": lambda v: max(abs(x) for x in v),
    "l2": lambda v: sum(x * x for x in v) ** 0.5,
    "signed_sum": sum,
    "positive": lambda v: sum(x for x in v if x > 0),
}
arrays = hnp.arrays(
    np.float32,
    st.sampled_from([(3,), (4, 1), (3, 2, 3), (2, 2, 2, 4)]),
    elements=st.floats(-100, 100, width=32, allow_subnormal=False),
)


def test_every_pooling_is_named_and_the_default_is_abs_sum():
    assert list(POOLINGS) == list(SLOW)
    a = np.array([[1.0, -2.0]], np.float32)
    np.testing.assert_array_equal(pool(a), [3.0])


@pytest.mark.parametrize("how", SLOW)
@settings(deadline=None, max_examples=50)
@given(arrays)
def test_agrees_with_a_loop(how, a):
    slow = np.zeros(a.shape[:-1])
    for pixel in np.ndindex(slow.shape):
        slow[pixel] = SLOW[how]([float(x) for x in a[pixel]])
    np.testing.assert_allclose(pool(a, how), slow, rtol=1e-5, atol=1e-4)


@settings(deadline=None, max_examples=50)
@given(arrays)
def test_laws(a):
    p = {how: np.asarray(pool(a, how)) for how in SLOW}
    tolerance = 1e-3
    assert (p["abs_max"] <= p["l2"] + tolerance).all()
    assert (p["l2"] <= p["abs_sum"] + tolerance).all()
    assert (np.abs(p["signed_sum"]) <= p["abs_sum"] + tolerance).all()
    negative = np.asarray(pool(-a, "positive"))
    np.testing.assert_allclose(p["positive"] - negative, p["signed_sum"], atol=tolerance)
    np.testing.assert_allclose(p["positive"] + negative, p["abs_sum"], atol=tolerance)


def test_l2_keeps_tiny_and_huge_gradients():
    # 1e-30 squared is zero and 1e30 squared is infinite in single precision
    a = np.array([[3e-30, 4e-30], [3e30, -4e30], [0, 0]], np.float32)
    np.testing.assert_allclose(pool(a, "l2"), np.array([5e-30, 5e30, 0], np.float32), rtol=1e-6)


def test_l2_has_the_gradient_of_a_norm_and_none_at_zero():
    a = np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
    gradient = jax.grad(lambda a: pool(a, "l2").sum())(a)
    np.testing.assert_allclose(gradient, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("how", SLOW)
def test_nan_stays(how):
    a = np.array([[1.0, np.nan], [1.0, 2.0]], np.float32)
    np.testing.assert_array_equal(np.isnan(pool(a, how)), [True, False])


def test_unknown_pooling_lists_them_all():
    with pytest.raises(InputError, match="abs_sum, abs_max, l2, signed_sum, positive"):
        pool(jnp.ones((2, 2)), "mean")
