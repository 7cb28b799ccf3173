"""Shift of two subsets: against SciPy and closed forms, laws of samples, and coverage."""

import numpy as np
import pytest
from scipy import stats

from salix.stats import DistributionShift, Sample, auc_interval, mean_difference, mean_interval
from salix.typing import InputError

RNG = np.random.default_rng


def limits(interval):
    return interval.low, interval.high


def test_mean_difference_is_welchs():
    a, b = RNG(0).normal(0.3, 1, 30), RNG(1).normal(0, 3, 12)
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    results = mean_difference(a, b, level=0.9)
    assert results.value == pytest.approx(a.mean() - b.mean())
    assert limits(results) == pytest.approx((expected.low, expected.high), rel=1e-9)
    opposite = mean_difference(b, a, level=0.9)
    assert (-opposite.high, -opposite.low) == pytest.approx(limits(results))
    gaps = mean_difference([*a, np.nan], [*b, np.inf, np.nan], level=0.9)
    assert (gaps.n, gaps.undefined, gaps.value) == (42, 3, pytest.approx(results.value))


def test_undefined_for_empty_samples_and_limits_of_single_values():
    assert np.isnan(mean_difference([], [1.0]).value)
    alone = mean_difference([2.0], [1.0, 2.0])
    assert alone.value == 0.5
    assert np.isnan(limits(alone)).all()
    assert limits(mean_difference([2.0, 2.0], [1.0, 1.0])) == (1, 1)
    for pair in (
        DistributionShift.of([], [1.0]),
        DistributionShift.of([np.nan], [np.inf]),
        DistributionShift.of([1.0], []),
    ):
        for results in (pair.auc(), pair.kolmogorov(), pair.wasserstein()):
            assert np.isnan([results.value, *limits(results)]).all()
    with pytest.raises(InputError, match=r"shape \(2, 2\): give one number per image"):
        mean_difference(np.zeros((2, 2)), [1.0])


@pytest.mark.parametrize("decimals", [6, 1, 0])
@pytest.mark.parametrize(("m", "n"), [(40, 25), (300, 900), (2, 3)])
def test_distances_equal_scipys(m, n, decimals):
    a = np.round(RNG(2).normal(0.5, 1, m), decimals)
    b = np.round(RNG(3).normal(0, 2, n), decimals)
    pair = DistributionShift.of([*a, np.nan], b)
    area = auc_interval(np.concatenate([a, b]), np.repeat([1, 0], [m, n]), level=0.9)
    results = pair.auc(level=0.9)
    assert (results.value, *limits(results)) == pytest.approx((area.value, *limits(area)), rel=1e-9)
    assert (results.n, results.undefined) == (m + n, 1)
    assert pair.kolmogorov().value == pytest.approx(stats.ks_2samp(a, b).statistic, rel=1e-12)
    expected = stats.wasserstein_distance(a, b)
    assert pair.wasserstein().value == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_disjoint_and_identical_samples():
    pair = DistributionShift.of([3.0, 4.0, 5.0], [0.0, 1.0])
    area = auc_interval([3, 4, 5, 0, 1], [1, 1, 1, 0, 0])
    assert (pair.auc().value, *limits(pair.auc())) == (1, *limits(area))
    swapped = DistributionShift.of([0.0, 1.0], [3.0, 4.0, 5.0])
    assert (swapped.auc().value, swapped.auc().low) == (0, 0)
    assert pair.kolmogorov().value == pair.kolmogorov().high == 1
    assert pair.wasserstein().value == pytest.approx(3.5)
    assert np.isnan(DistributionShift.of([1.0], [0.0, 2.0]).auc().low)
    same = DistributionShift.of([1.0, 1.0], [1.0, 1.0])
    assert (same.wasserstein().value, *limits(same.wasserstein())) == (0, 0, 0)


def test_symmetry_and_scaling_of_distances():
    a, b = RNG(4).normal(size=50), RNG(5).gamma(2, size=70)
    first, second = DistributionShift.of(a, b), DistributionShift.of(b, a)
    scaled = DistributionShift.of(10 * a - 3, 10 * b - 3)
    for name in ("kolmogorov", "wasserstein"):
        x, y = (getattr(p, name)() for p in (first, second))
        assert (x.value, *limits(x)) == pytest.approx((y.value, *limits(y)), rel=0.05)
    assert scaled.kolmogorov().value == pytest.approx(first.kolmogorov().value)
    assert scaled.wasserstein().value == pytest.approx(10 * first.wasserstein().value)
    assert scaled.wasserstein().low == pytest.approx(10 * first.wasserstein().low)
    assert second.auc().value == pytest.approx(1 - first.auc().value)


def test_kolmogorov_interval_excludes_zero_where_the_test_rejects():
    for seed in range(20):
        a, b = RNG(seed).normal(0.25, 1, 100), RNG(100 + seed).normal(size=150)
        results = DistributionShift.of(a, b).kolmogorov()
        p = stats.kstwobign.sf(results.value * np.sqrt(100 * 150 / 250))
        assert (results.low > 0) == (p < 0.05)


def test_samples_are_a_monoid():
    a, b, c = (Sample.of(np.round([*RNG(s).normal(size=9), np.nan], 1)) for s in range(3))
    merged = a.merge(b).merge(c)
    other = c.merge(a.merge(b))
    np.testing.assert_array_equal(merged.values, other.values)
    assert merged.undefined == other.undefined == 3
    expected = mean_interval([*a.values, *b.values, *c.values, np.nan, np.nan, np.nan])
    assert merged.mean.value == pytest.approx(expected.value)
    assert limits(merged.mean) == pytest.approx(limits(expected))
    assert (merged.mean.n, merged.mean.undefined) == (expected.n, 3)
    np.testing.assert_array_equal(a.merge(Sample.empty()).values, a.values)
    np.testing.assert_array_equal(Sample.empty().merge(a).values, a.values)


@pytest.mark.parametrize(("m", "n"), [(60, 60), (40, 400)])
@pytest.mark.parametrize("draw", ["normal", "exponential", "beta"])
def test_limits_cover_without_a_shift(coverage, m, n, draw):
    rng = RNG((6, m, n))
    options = {"beta": (8, 2)}.get(draw, ())
    pairs = [
        (getattr(rng, draw)(*options, size=m), getattr(rng, draw)(*options, size=n))
        for _ in range(400)
    ]
    lowest = (
        0.9 if draw == "exponential" else 0.92
    )  # true coverage 0.93 for skewness 2 and 40 values
    assert lowest <= coverage([mean_difference(*p) for p in pairs], 0) <= 0.98
    merged = [DistributionShift.of(*p) for p in pairs]
    assert 0.92 <= coverage([p.auc() for p in merged], 0.5) <= 0.98
    assert 0.93 <= coverage([p.kolmogorov() for p in merged], 0) <= 0.99
    assert lowest <= coverage([p.wasserstein() for p in merged], 0) <= 0.99


@pytest.mark.parametrize(("shift", "m", "n"), [(0.4, 80, 300), (1, 300, 80), (3, 100, 100)])
def test_limits_cover_a_planted_shift(coverage, shift, m, n):
    rng = RNG((7, m))
    pairs = [(rng.normal(shift, 1, m), rng.normal(size=n)) for _ in range(400)]
    assert 0.92 <= coverage([mean_difference(*p) for p in pairs], shift) <= 0.98
    merged = [DistributionShift.of(*p) for p in pairs]
    truth = {
        "auc": stats.norm.cdf(shift / np.sqrt(2)),
        "kolmogorov": 2 * stats.norm.cdf(shift / 2) - 1,
        "wasserstein": shift,
    }
    for name, expected in truth.items():
        results = [getattr(p, name)() for p in merged]
        assert coverage(results, expected) >= 0.925
        # small distances are biased upwards
        assert np.mean([i.value for i in results]) == pytest.approx(expected, rel=0.35, abs=0.02)
    assert np.mean([p.wasserstein().low > 0 for p in merged]) > 0.6
