"""Intervals of means, proportions and differences against SciPy and published values."""

import numpy as np
import pytest
from scipy import stats

from salix.stats import (
    Interval,
    difference_interval,
    mean_difference,
    mean_interval,
    mean_of_intervals,
    proportion_interval,
)
from salix.typing import InputError

RNG = np.random.default_rng


def limits(interval):
    return interval.low, interval.high


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_mean_is_scipys(level):
    x = RNG(0).normal(3, 2, 40)
    result = mean_interval(x, level=level)
    expected = stats.t.interval(level, 39, loc=x.mean(), scale=stats.sem(x))
    assert limits(result) == pytest.approx(expected, rel=1e-12)
    assert result.value == pytest.approx(x.mean(), rel=1e-12)


def test_undefined_values_are_left_out_and_counted():
    with_gaps = mean_interval([1.0, np.nan, 2.0, np.inf, 4.0])
    assert (with_gaps.n, with_gaps.undefined) == (3, 2)
    assert limits(with_gaps) == limits(mean_interval([1.0, 2.0, 4.0]))


def test_mean_of_no_value_and_of_one():
    nothing, positive = mean_interval([np.nan]), mean_interval([7.0])
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    assert (nothing.n, nothing.undefined) == (0, 1)
    assert positive.value == 7
    assert np.isnan(limits(positive)).all()


@pytest.mark.parametrize(("hits", "n"), [(0, 9), (1, 9), (50, 80), (80, 80)])
def test_proportion_is_scipys(hits, n):
    result = proportion_interval(hits, n)
    expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert limits(result) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert result.low <= result.value <= result.high


def test_proportion_of_no_trial():
    assert np.isnan(proportion_interval(0, 0).value)
    with pytest.raises(InputError, match="3 hits in 2 trials"):
        proportion_interval(3, 2)


def test_difference_is_newcombes():
    """56 of 70 against 48 of 80, method 10 of Newcombe (1998), Statistics in Medicine 17."""
    result = difference_interval(proportion_interval(56, 70), proportion_interval(48, 80))
    assert result.value == pytest.approx(0.2)
    assert limits(result) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_difference_of_symmetric_intervals():
    a, b = mean_interval(RNG(7).normal(size=30)), mean_interval(RNG(8).normal(size=50))
    half = np.hypot(a.high - a.value, b.high - b.value)
    expected = (a.value - b.value - half, a.value - b.value + half)
    assert limits(difference_interval(a, b)) == pytest.approx(expected)
    assert np.isnan(difference_interval(a, mean_interval([1.0])).low)


def test_mean_interval_covers():
    rng = RNG(6)
    result = [mean_interval(rng.normal(1, 2, 3)) for _ in range(1000)]  # three seeds
    assert 0.93 <= np.mean([i.low <= 1 <= i.high for i in result]) <= 0.97


def runs_of(rng, shift, runs, images, run_effect=1.0):
    """Interval of the difference in each run, with image effects common to all runs."""
    a, b = rng.normal(shift, 1, (1, images)), rng.normal(size=(1, images))
    a = a + 0.5 * rng.normal(size=(runs, images))
    b = b + 0.5 * rng.normal(size=(runs, images))
    own = run_effect * np.sqrt(2 / images) * rng.normal(size=(runs, 1))
    return [mean_difference(x + o, y) for x, y, o in zip(a, b, own, strict=True)]


@pytest.mark.parametrize(("runs", "run_effect"), [(3, 0), (5, 1), (10, 3)])
def test_mean_of_intervals_covers_for_shared_images(coverage, runs, run_effect):
    rng = RNG((8, runs))
    results = [runs_of(rng, 0.5, runs, 60, run_effect) for _ in range(500)]
    assert 0.94 <= coverage([mean_of_intervals(f) for f in results], 0.5) <= 0.995
    alone = [mean_interval([i.value for i in f]) for f in results]
    if run_effect < 3:  # negative control: Student's interval over runs holds the images fixed
        assert coverage(alone, 0.5) < 0.85


def test_mean_of_intervals_of_known_numbers():
    results = mean_of_intervals([Interval(1, 0.8, 1.3, 10), Interval(3, 2.6, 3.3, 10)])
    half = stats.t.ppf(0.975, 1)
    assert (results.value, results.n) == (2, 2)
    expected = (2 - np.hypot(half, 0.3), 2 + np.hypot(half, 0.3))
    assert limits(results) == pytest.approx(expected)
    undefined = Interval(np.nan, np.nan, np.nan, 0)
    assert mean_of_intervals([undefined, Interval(1, 0.8, 1.3, 10)]) == Interval(1, 0.8, 1.3, 10)
    assert np.isnan(mean_of_intervals([undefined]).value)
    assert np.isnan(mean_of_intervals([]).value)
    unlimited = mean_of_intervals([Interval(1, 0.8, 1.3, 10), Interval(2, np.nan, np.nan, 1)])
    assert unlimited.value == 1.5
    assert np.isnan(unlimited.low)
