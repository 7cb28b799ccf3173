import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from salix.stats import auc_interval, difference_interval, mean_interval, proportion_interval
from salix.typing import InputError

RNG = np.random.default_rng


def limits(interval):
    return interval.low, interval.high


def slow_delong(scores, labels):
    """AUC and its variance, by comparing every pair."""
    one, zero = scores[labels == 1], scores[labels == 0]
    wins = (one[:, None] > zero) + 0.5 * (one[:, None] == zero)
    v10, v01 = wins.mean(1), wins.mean(0)
    return wins.mean(), v10.var(ddof=1) / len(one) + v01.var(ddof=1) / len(zero)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_mean_is_scipys(level):
    x = RNG(0).normal(3, 2, 40)
    found = mean_interval(x, level=level)
    expected = stats.t.interval(level, 39, loc=x.mean(), scale=stats.sem(x))
    assert limits(found) == pytest.approx(expected, rel=1e-12)
    assert found.value == pytest.approx(x.mean(), rel=1e-12)


def test_undefined_values_are_left_out_and_counted():
    with_gaps = mean_interval([1.0, np.nan, 2.0, np.inf, 4.0])
    assert (with_gaps.n, with_gaps.undefined) == (3, 2)
    assert limits(with_gaps) == limits(mean_interval([1.0, 2.0, 4.0]))


def test_mean_of_little():
    nothing, one = mean_interval([np.nan]), mean_interval([7.0])
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    assert (nothing.n, nothing.undefined) == (0, 1)
    assert one.value == 7
    assert np.isnan(limits(one)).all()


@pytest.mark.parametrize(("hits", "n"), [(0, 9), (1, 9), (50, 80), (80, 80)])
def test_share_is_scipys(hits, n):
    found = proportion_interval(hits, n)
    expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert limits(found) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.low <= found.value <= found.high


def test_share_of_nothing():
    assert np.isnan(proportion_interval(0, 0).value)
    with pytest.raises(InputError, match="3 hits in 2 trials"):
        proportion_interval(3, 2)


@pytest.mark.parametrize("decimals", [9, 1, 0])  # the fewer, the more ties
def test_auc_is_scikits(decimals):
    labels = RNG(1).integers(0, 2, 200)
    scores = np.round(RNG(2).normal(labels, 1.0), decimals)
    found = auc_interval(scores, labels)
    auc, variance = slow_delong(scores, labels)
    assert found.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    half = stats.norm.ppf(0.975) * np.sqrt(variance) / (auc * (1 - auc))
    from_logit = 1 / (1 + np.exp(-(np.log(auc / (1 - auc)) + half * np.array([-1, 1]))))
    assert limits(found) == pytest.approx(tuple(from_logit), abs=1e-12)


def test_auc_mirrors():
    labels, scores = RNG(3).integers(0, 2, 60), RNG(4).normal(size=60)
    a, b = auc_interval(scores, labels), auc_interval(-scores, labels)
    assert (a.value, a.low, a.high) == pytest.approx((1 - b.value, 1 - b.high, 1 - b.low))


def test_auc_of_perfect_order_is_not_certain():
    labels = np.repeat([0, 1], [30, 50])
    found = auc_interval(labels * 1.0, labels)
    assert (found.value, found.high) == (1, 1)
    # Clopper and Pearson's limit for 30 pairs, all in the right order.
    exact = stats.binomtest(30, 30).proportion_ci(method="exact").low
    assert found.low == pytest.approx(exact, rel=1e-12)
    reverse = auc_interval(-labels, labels)
    assert (reverse.value, reverse.low) == (0, 0)
    assert reverse.high == pytest.approx(1 - exact)


def test_auc_without_knowledge():
    assert np.isnan(auc_interval([0.1, 0.2], [1, 1]).value)
    assert np.isnan(auc_interval([], np.zeros(0, int)).value)
    few = auc_interval([0.5, 0.4, 0.6], [1, 0, 0])
    assert few.value == 0.5
    assert np.isnan(limits(few)).all()
    tied = auc_interval(np.zeros(8), np.arange(8) % 2)
    assert (tied.value, tied.low, tied.high) == (0.5, 0.5, 0.5)
    gaps = auc_interval([np.nan, 0.1, 0.2, 0.3, 0.05], [1, 0, 1, 0, 1])
    assert (gaps.n, gaps.undefined) == (4, 1)
    with pytest.raises(InputError, match="0 or 1"):
        auc_interval([0.1, 0.2], [0, -1])


def test_difference_is_newcombes():
    """56 of 70 against 48 of 80, method 10 of Newcombe (1998), Statistics in Medicine 17."""
    found = difference_interval(proportion_interval(56, 70), proportion_interval(48, 80))
    assert found.value == pytest.approx(0.2)
    assert limits(found) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_difference_of_symmetric_intervals():
    a, b = mean_interval(RNG(7).normal(size=30)), mean_interval(RNG(8).normal(size=50))
    half = np.hypot(a.high - a.value, b.high - b.value)
    expected = (a.value - b.value - half, a.value - b.value + half)
    assert limits(difference_interval(a, b)) == pytest.approx(expected)
    assert np.isnan(difference_interval(a, mean_interval([1.0])).low)


@pytest.mark.parametrize(("shift", "m", "n"), [(0.5, 60, 60), (1.8, 40, 120)])
def test_auc_interval_covers(shift, m, n):
    """The true area lies inside about 95 of 100 intervals: binormal scores, 600 repetitions."""
    rng, truth = RNG(5), stats.norm.cdf(shift / np.sqrt(2))
    labels = np.repeat([1, 0], [m, n])
    found = [auc_interval(rng.normal(shift * labels), labels) for _ in range(600)]
    coverage = np.mean([i.low <= truth <= i.high for i in found])
    assert 0.93 <= coverage <= 0.98  # +- 2.5 standard deviations of 600 trials, and small samples


def test_mean_interval_covers():
    rng = RNG(6)
    found = [mean_interval(rng.normal(1, 2, 3)) for _ in range(1000)]  # three seeds
    assert 0.93 <= np.mean([i.low <= 1 <= i.high for i in found]) <= 0.97
