"""Mean absolute error, Pearson and Spearman against SciPy, and their undefined cases."""

import jax
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from salix import metrics

# one compilation a shape
mae, pearson, spearman = map(jax.jit, (metrics.mae, metrics.pearson, metrics.spearman))
rng = np.random.default_rng(0)
SHAPES = [(30,), (100, 90), (4, 5, 6)]
coarse = hnp.arrays(np.float32, (4, 5), elements=st.integers(-3, 3).map(float))


def pair(shape):
    a = rng.normal(size=shape)
    return a.astype(np.float32), (a**3 + rng.normal(size=shape)).astype(np.float32)


def peer(statistic, a, b):
    return float(statistic(a.ravel().astype(float), b.ravel().astype(float))[0])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_scipy(shape):
    a, b = pair(shape)
    np.testing.assert_allclose(mae(a, b), np.abs(a - b).mean(), rtol=1e-5)
    for ours, theirs in ((pearson, stats.pearsonr), (spearman, stats.spearmanr)):
        expected = peer(theirs, a, b)
        assert 0.3 < expected < 0.95
        np.testing.assert_allclose(ours(a, b), expected, rtol=1e-5)
        if len(shape) == 1:
            with jax.enable_x64(True):
                double = ours(a.astype(np.float64), b.astype(np.float64))
            np.testing.assert_allclose(double, expected, rtol=1e-12)


@settings(deadline=None, max_examples=50)
@given(coarse, coarse)
def test_ties_share_the_mean_of_their_ranks(a, b):
    assume(np.ptp(a) > 0 and np.ptp(b) > 0)
    expected = peer(stats.spearmanr, a, b)
    assert float(spearman(a, b)) == pytest.approx(expected, abs=1e-5)


@settings(deadline=None, max_examples=50)
@given(coarse, coarse)
def test_laws(a, b):
    assume(np.ptp(a) > 0 and np.ptp(b) > 0)
    for metric in (pearson, spearman):
        r = float(metric(a, b))
        assert -1 <= r <= 1
        assert float(metric(b, a)) == pytest.approx(r, abs=1e-5)
        assert float(metric(a, -b)) == pytest.approx(-r, abs=1e-5)
        assert float(metric(a, 5 * b + 2)) == pytest.approx(r, abs=1e-5)
        assert float(metric(a, a)) == pytest.approx(1, abs=1e-5)
    assert float(spearman(a, np.exp(b))) == pytest.approx(float(spearman(a, b)), abs=1e-5)
    assert float(mae(a, b)) == float(mae(b, a)) >= 0
    assert float(mae(a, a)) == 0


def test_only_order_matters_to_spearman_and_not_to_pearson():
    a = np.linspace(0, 1, 50, dtype=np.float32)
    assert float(spearman(a, np.exp(9 * a))) == pytest.approx(1, abs=1e-6)
    assert float(pearson(a, np.exp(9 * a))) < 0.8


@pytest.mark.parametrize("scale", [1e-33, 1e-20, 1e20, 1e37])
def test_pearson_of_tiny_and_huge_values(scale):
    a, b = pair((7, 7))
    expected = peer(stats.pearsonr, a, b)
    np.testing.assert_allclose(pearson(a * np.float32(scale), b), expected, rtol=1e-4)


def test_pearson_of_a_small_signal_on_a_large_offset():
    a, b = pair((30, 30))
    a, b = a / 8 + 1000, b / 8 + 1000
    expected = peer(stats.pearsonr, a, b)
    np.testing.assert_allclose(pearson(a, b), expected, rtol=1e-4)


@pytest.mark.parametrize("metric", [pearson, spearman])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e30])
def test_a_constant_map_has_no_correlation(metric, value):
    flat, other = np.full((7, 7), value, np.float32), pair((7, 7))[0]
    assert np.isnan(metric(flat, other))
    assert np.isnan(metric(other, flat))
    assert np.isnan(metric(flat, flat))


@pytest.mark.parametrize("metric", [pearson, spearman, mae])
def test_nan_spreads(metric):
    a, b = pair((7, 7))
    assert np.isfinite(metric(a, b))
    a[1, 1] = np.nan
    assert np.isnan(metric(a, b))
    assert np.isnan(metric(b, a))


def test_spearman_ranks_infinities_and_both_zeros():
    a = np.array([-np.inf, -0.0, 0.0, 1, np.inf], np.float32)
    b = np.array([1, 2, 3, 4, 5], np.float32)
    expected = peer(stats.spearmanr, np.array([1, 2.5, 2.5, 4, 5]), b)
    np.testing.assert_allclose(spearman(a, b), expected, rtol=1e-6)


def test_8_bit_differences_do_not_wrap():
    a, b = np.array([0, 200], np.uint8), np.array([255, 100], np.uint8)
    assert float(mae(a, b)) == (255 + 100) / 2
    assert float(pearson(a, b)) == pytest.approx(-1)
