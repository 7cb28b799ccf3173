"""The Gini coefficient: closed forms, the mean difference, laws."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from salix import metrics

gini = jax.jit(metrics.gini)  # one compilation a shape
rng = np.random.default_rng(0)
maps = hnp.arrays(
    np.float32,
    st.sampled_from([(9,), (4, 5), (3, 4, 2)]),
    elements=st.floats(-100, 100, width=32, allow_subnormal=False),
).filter(lambda m: np.abs(m).max() > 1e-3)


def mean_difference(m):
    """Half the relative mean absolute difference of all pairs: the definition, without a sort."""
    a = np.abs(m.astype(np.float64)).ravel()
    return np.abs(a[:, None] - a[None]).mean() / (2 * a.mean())


@settings(deadline=None, max_examples=50)
@given(maps, st.randoms(use_true_random=False))
def test_laws(m, random):
    g = float(gini(m))
    assert g == pytest.approx(mean_difference(m), abs=1e-5)
    assert -1e-6 <= g <= 1 - 1 / m.size + 1e-6
    for scale in (-1.0, 1e-30, 1e30):
        assert float(gini(m * np.float32(scale))) == pytest.approx(g, abs=1e-5)
    order = list(range(m.size))
    random.shuffle(order)
    assert float(gini(m.ravel()[order].reshape(m.shape))) == g


@pytest.mark.parametrize("n", [1, 2, 10, 50176])
def test_equal_and_single_shares(n):
    np.testing.assert_allclose(gini(np.full(n, -7, np.float32)), 0, atol=1e-6)
    one = np.zeros(n, np.float32)
    one[n // 2] = 3
    np.testing.assert_allclose(gini(one), 1 - 1 / n, rtol=1e-5)


@pytest.mark.parametrize("used", [1, 3, 10])
def test_pixels_used_equally(used):
    m = np.zeros(10, np.float32)
    m[:used] = 2
    np.testing.assert_allclose(gini(m), 1 - used / 10, rtol=1e-5, atol=1e-6)


def test_large_maps_of_a_known_distribution():
    m = rng.exponential(size=(224, 224)).astype(np.float32)  # the exponential law has G = 1/2
    assert float(gini(m)) == pytest.approx(0.5, abs=0.01)
    a = np.sort(m.astype(np.float64).ravel())
    n = a.size
    exact = ((2 * np.arange(1, n + 1) - n - 1) * a).sum() / (n * a.sum())
    np.testing.assert_allclose(gini(m), exact, rtol=1e-5)
    with jax.enable_x64(True):
        np.testing.assert_allclose(gini(m.astype(np.float64)), exact, rtol=1e-12)


def test_8_bit_maps():
    grey = rng.integers(0, 256, (7, 7)).astype(np.uint8)
    np.testing.assert_allclose(gini(grey), mean_difference(grey), rtol=1e-5)


def test_gradient_follows_the_values_not_their_bits():
    m = rng.uniform(1, 2, size=12)
    with jax.enable_x64(True):
        gradient = np.asarray(jax.grad(gini)(m))
        h = 1e-6
        slow = [(gini(m + h * e) - gini(m - h * e)) / (2 * h) for e in np.eye(12)]
    assert np.abs(gradient).max() > 1e-3
    np.testing.assert_allclose(gradient, slow, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("fill", [0, np.nan, np.inf])
def test_no_mass_is_nan(fill):
    m = np.zeros((7, 7), np.float32)
    m[2, 2] = fill
    assert np.isnan(gini(m))
