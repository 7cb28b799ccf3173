"""Histogram and spatial entropy: closed forms, scikit-image and SciPy, laws, undefined maps."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from skimage.measure import shannon_entropy

from salix import metrics

# one compilation a shape
histogram_entropy = jax.jit(metrics.histogram_entropy, static_argnames=("normalise",))
spatial_entropy = jax.jit(metrics.spatial_entropy, static_argnames=("normalise",))
rng = np.random.default_rng(0)
shapes = st.sampled_from([(9,), (7, 7), (3, 4, 2)])
greys = hnp.arrays(np.uint8, shapes)
positive = hnp.arrays(np.float32, shapes, elements=st.floats(0.125, 100, width=32))


@pytest.mark.parametrize("shape", [(7, 7), (10, 10), (224, 224), (50,), (5, 6, 7)])
def test_histogram_entropy_is_that_of_scikit_image(shape):
    grey = (255 * rng.beta(0.3, 2, shape)).astype(np.uint8)
    np.testing.assert_allclose(
        histogram_entropy(grey, normalise=False), shannon_entropy(grey), rtol=1e-5
    )


def test_histogram_entropy_as_published():
    # a 7 x 7 map over log2 49, which the release cuts to 5.614
    grey = rng.integers(0, 40, (7, 7)).astype(np.uint8)
    assert float(histogram_entropy(grey)) == pytest.approx(shannon_entropy(grey) / 5.614, rel=2e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_are_cut_to_8_bit_in_their_own_type(dtype):
    unit = rng.uniform(size=(40, 50)).astype(dtype)
    unit.flat[:4] = 0, 1, np.nextafter(dtype(1), dtype(0)), 100 / 255
    grey = (dtype(255) * unit).astype(np.uint8)
    with jax.enable_x64(dtype is np.float64):
        entropy = histogram_entropy(unit, normalise=False)
        assert entropy.dtype == dtype
    np.testing.assert_allclose(entropy, shannon_entropy(grey), rtol=1e-5)


def test_every_grey_value_survives_a_trip_through_floats():
    grey = np.arange(256, dtype=np.uint8)
    np.testing.assert_allclose(
        histogram_entropy(grey / np.float32(255), normalise=False), 8, rtol=1e-6
    )


def test_truncation_not_rounding():
    # 0.6 and 0.9 of a grey level are level 0 together with 0
    unit = np.array([0, 0.6, 0.9, 1.1], np.float32) / 255
    expected = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    np.testing.assert_allclose(histogram_entropy(unit, normalise=False), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("pixels", "values", "bits", "share"),
    [(16, 4, 2, 0.5), (49, 49, math.log2(49), 1), (1024, 256, 8, 1), (1024, 2, 1, 1 / 8)],
)
def test_histogram_entropy_of_equally_frequent_values(pixels, values, bits, share):
    grey = (np.arange(pixels) % values).astype(np.uint8)
    np.testing.assert_allclose(histogram_entropy(grey, normalise=False), bits, rtol=1e-6)
    np.testing.assert_allclose(histogram_entropy(grey), share, rtol=1e-6)


@settings(deadline=None, max_examples=50)
@given(greys, st.randoms(use_true_random=False))
def test_histogram_entropy_laws(grey, random):
    h = float(histogram_entropy(grey))
    assert -1e-6 <= h <= 1 + 1e-6
    order = list(range(grey.size))
    random.shuffle(order)
    shuffled = grey.ravel()[order].reshape(grey.shape)
    assert float(histogram_entropy(shuffled)) == h
    assert float(histogram_entropy(255 - grey)) == pytest.approx(h, abs=1e-6)
    slow = [np.mean(grey == v) for v in np.unique(grey)]
    most = math.log2(min(grey.size, 256))
    assert h == pytest.approx(-sum(p * math.log2(p) for p in slow) / most, abs=1e-5)


@pytest.mark.parametrize("bad", [-0.01, 1.01, np.nan, np.inf])
def test_histogram_entropy_of_values_that_are_not_shares_is_nan(bad):
    unit = rng.uniform(size=(7, 7)).astype(np.float32)
    assert np.isfinite(histogram_entropy(unit))
    unit[3, 3] = bad
    assert np.isnan(histogram_entropy(unit))


def test_constant_map_has_one_grey_value_and_the_widest_spread():
    flat = np.full((7, 7), 0.25, np.float32)
    assert float(histogram_entropy(flat)) == 0
    assert not np.signbit(histogram_entropy(flat))  # 0, not -0
    np.testing.assert_allclose(spatial_entropy(flat), 1, rtol=1e-6)


@pytest.mark.parametrize("entropy", [histogram_entropy, spatial_entropy])
@pytest.mark.parametrize("one", [np.ones((1, 1), np.float32), np.array([200], np.uint8)])
def test_a_single_pixel_has_no_bits_and_no_normalised_entropy(entropy, one):
    assert float(entropy(one, normalise=False)) == 0
    assert np.isnan(entropy(one))


@pytest.mark.parametrize("shape", [(7, 7), (224, 224), (50,), (5, 6, 7)])
def test_spatial_entropy_is_that_of_scipy(shape):
    m = rng.normal(size=shape).astype(np.float32)
    bits = stats.entropy(np.abs(m).ravel(), base=2)
    np.testing.assert_allclose(spatial_entropy(m, normalise=False), bits, rtol=1e-5)
    np.testing.assert_allclose(spatial_entropy(m), bits / math.log2(m.size), rtol=1e-5)
    with jax.enable_x64(True):
        precise = spatial_entropy(m.astype(np.float64), normalise=False)
    np.testing.assert_allclose(precise, bits, rtol=1e-6)


def test_spatial_entropy_of_equal_shares_and_of_halves():
    for used in (1, 2, 8, 64):
        m = np.zeros(64, np.float32)
        m[:used] = -3.0
        np.testing.assert_allclose(spatial_entropy(m, normalise=False), math.log2(used), rtol=1e-6)
    geometric = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 8], np.float32)
    np.testing.assert_allclose(spatial_entropy(geometric, normalise=False), 1.75, rtol=1e-6)


@settings(deadline=None, max_examples=50)
@given(positive, st.randoms(use_true_random=False), st.sampled_from([1e-36, 1e-9, -1.0, 3e35]))
def test_spatial_entropy_laws(m, random, scale):
    h = float(spatial_entropy(m))
    assert 0 <= h <= 1 + 1e-6
    assert float(spatial_entropy(m * np.float32(scale))) == pytest.approx(h, abs=2e-5)
    order = list(range(m.size))
    random.shuffle(order)
    # A sum of 49 terms in float32, in another order: at most 49 roundings of 6e-8
    shuffled = float(spatial_entropy(m.ravel()[order].reshape(m.shape)))
    assert shuffled == pytest.approx(h, abs=49 * 2**-24)
    # mixing with the uniform map never narrows the distribution (entropy is concave)
    assert float(spatial_entropy(m / m.sum() + 1 / m.size)) >= h - 1e-5


def test_spatial_entropy_takes_8_bit_maps_without_wrapping():
    grey = rng.integers(0, 256, (7, 7)).astype(np.uint8)
    np.testing.assert_allclose(
        spatial_entropy(grey), spatial_entropy(grey.astype(np.float32)), rtol=1e-6
    )


@pytest.mark.parametrize("fill", [0, np.nan, np.inf])
def test_spatial_entropy_of_no_distribution_is_nan(fill):
    m = np.zeros((7, 7), np.float32)
    m[2, 2] = fill
    assert np.isnan(spatial_entropy(m))
    assert np.isnan(spatial_entropy(m, normalise=False))


def test_gradient_is_that_of_finite_differences_and_finite_at_zero():
    m = np.abs(rng.normal(size=(4, 4)))
    with jax.enable_x64(True):
        gradient = np.asarray(jax.grad(spatial_entropy)(m))
        slow, h = np.zeros_like(m), 1e-6
        for pixel in np.ndindex(m.shape):
            step = np.zeros_like(m)
            step[pixel] = h
            slow[pixel] = (spatial_entropy(m + step) - spatial_entropy(m - step)) / (2 * h)
    np.testing.assert_allclose(gradient, slow, rtol=1e-5, atol=1e-8)
    m[0] = 0
    assert np.isfinite(jax.grad(spatial_entropy)(m.astype(np.float32))).all()
    assert np.isfinite(jax.grad(spatial_entropy)(jnp.zeros((4, 4)))).all()
