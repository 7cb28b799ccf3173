"""Mean maps: laws of the accumulator, their noise, and coverage of their shift."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from salix.stats import MeanMap, MeanMapShift
from salix.stats.mean_map import BATCHES
from salix.typing import InputError

RNG = np.random.default_rng


def limits(interval):
    return interval.low, interval.high


def test_mean_maps_are_means_and_merge():
    x = RNG(9).integers(0, 256, (137, 4, 5)).astype(np.uint8)
    merged = MeanMap.of(x)
    np.testing.assert_allclose(merged.mean, x.mean(0) / 255)
    assert merged.n == 137
    joined = MeanMap.of(x[:20]).merge(MeanMap.of(x[20:]))
    np.testing.assert_allclose(joined.mean, merged.mean)
    np.testing.assert_allclose(MeanMap.of(x / 255).mean, merged.mean)
    undefined = MeanMap.of(x[:0])
    assert np.isnan(undefined.mean).all()
    np.testing.assert_array_equal(undefined.merge(merged).sums, merged.sums)


def test_mean_maps_are_a_monoid():
    x = RNG(16).integers(0, 256, (151, 3, 4)).astype(np.uint8)
    expected = MeanMap.of(x)
    starts = (0, 7, 90, 120, 151)
    parts = [MeanMap.of(x[i:j], first=i) for i, j in pairwise(starts)]
    for order in ((0, 1, 2, 3), (3, 1, 0, 2)):
        merged = MeanMap.empty((3, 4))
        for k in order:
            merged = merged.merge(parts[k])
        np.testing.assert_array_equal(merged.mean, expected.mean)
        np.testing.assert_array_equal(merged.noise(0), expected.noise(0))
    a, b, c = parts[:3]
    np.testing.assert_array_equal(a.merge(b).merge(c).sums, a.merge(b.merge(c)).sums)
    assert a.merge(MeanMap.empty((3, 4))) is a
    mixed = parts[0].merge(MeanMap.of(x[7:] / 255, first=7))  # 8-bit and floating-point maps
    np.testing.assert_allclose(mixed.mean, expected.mean)
    np.testing.assert_array_equal(mixed.counts, expected.counts)


@pytest.mark.parametrize("n", [30, 50, 1234])
def test_noise_of_a_mean_map_is_its_standard_error(n):
    x = RNG(10).normal(size=(n, 6, 6)) * np.linspace(0.5, 2, 36).reshape(6, 6)
    noise = MeanMap.of(x + 5).noise(0)  # a constant offset adds no noise
    expected = np.linspace(0.5, 2, 36) / np.sqrt(n)
    assert noise.shape == (400, 36)
    assert (noise.std(0) / expected).mean() == pytest.approx(1, abs=0.06)
    assert len(np.unique(MeanMap.of(x).counts)) == (1 if n == BATCHES else 2)


def test_large_grids_have_the_same_limits():
    """Noise drawn at a sample of pixels: the same maps on a small grid and enlarged."""
    small = RNG(11).random((2, 200, 8, 8))
    large = small.repeat(8, 2).repeat(8, 3)
    first, second = (
        MeanMapShift.of(*(MeanMap.of(m) for m in x)).distance() for x in (small, large)
    )
    assert second.value == pytest.approx(first.value)
    assert second.high == pytest.approx(first.high, rel=0.05)


def test_maps_against_scipy():
    a, b = RNG(12).random((80, 5, 5)), RNG(13).random((60, 5, 5)) * np.linspace(0, 1, 5)
    pair = MeanMapShift.of(MeanMap.of(a), MeanMap.of(b))
    assert pair.distance().value == pytest.approx(np.abs(a.mean(0) - b.mean(0)).mean())
    expected = stats.pearsonr(a.mean(0).ravel(), b.mean(0).ravel()).statistic
    results = pair.correlation()
    assert results.value == pytest.approx(expected, rel=1e-9)
    assert -1 <= results.low < results.value < results.high <= 1
    flat = MeanMapShift.of(MeanMap.of(a), MeanMap.of(np.ones((9, 5, 5))))
    assert np.isnan(flat.correlation().value)
    alone = MeanMapShift.of(MeanMap.of(a), MeanMap.of(b[:1])).distance()
    assert np.isfinite(alone.value)
    assert np.isnan(alone.low)
    assert np.isnan(MeanMapShift.of(MeanMap.of(a), MeanMap.of(b[:0])).distance().value)
    with pytest.raises(InputError, match=r"grids of \(5, 5\) and \(4, 4\)"):
        MeanMapShift.of(MeanMap.of(a), MeanMap.of(np.zeros((3, 4, 4))))
    with pytest.raises(InputError, match=r"shape \(3,\)"):
        MeanMap.of(np.zeros(3))


@pytest.mark.parametrize(("m", "n"), [(300, 300), (40, 700)])
@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_map_distance_covers(coverage, m, n, offset):
    """Spatially correlated noise, and a shift of `offset` up in one half, down in the other."""
    rng, shift = RNG((14, m)), offset * np.repeat([1.0, -1.0], [8, 8]).reshape(4, 4)
    mix = rng.random((16, 16)) / 4
    results = []
    for _ in range(300):
        a, b = ((rng.normal(size=(k, 16)) @ mix).reshape(k, 4, 4) for k in (m, n))
        results.append(MeanMapShift.of(MeanMap.of(a + shift), MeanMap.of(b)))
    distances = [p.distance() for p in results]
    assert coverage(distances, offset) >= 0.92
    if offset:
        assert np.mean([i.low > 0 for i in distances]) > 0.9
    else:
        assert coverage(distances, 0) <= 0.985


def test_correlation_of_mean_maps_covers(coverage):
    rng = RNG(15)
    first, second = rng.random((2, 6, 6))
    truth = stats.pearsonr(first.ravel(), second.ravel()).statistic
    results = []
    for _ in range(300):
        a, b = (t + 0.5 * rng.normal(size=(400, 6, 6)) for t in (first, second))
        results.append(MeanMapShift.of(MeanMap.of(a), MeanMap.of(b)).correlation())
    assert 0.92 <= coverage(results, truth) <= 0.98
