"""Interval of an AUC against scikit-learn, pairwise DeLong and binomial limits."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from salix.stats import (
    auc_interval,
)
from salix.typing import InputError

RNG = np.random.default_rng


def limits(interval):
    return interval.low, interval.high


def naive_delong(scores, labels):
    """AUC and its DeLong variance by comparing every pair."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    v10, v01 = wins.mean(1), wins.mean(0)
    return wins.mean(), v10.var(ddof=1) / len(positive) + v01.var(ddof=1) / len(negative)


@pytest.mark.parametrize("decimals", [9, 1, 0])  # the fewer, the more ties
def test_auc_is_scikits(decimals):
    labels = RNG(1).integers(0, 2, 200)
    scores = np.round(RNG(2).normal(labels, 1.0), decimals)
    result = auc_interval(scores, labels)
    auc, variance = naive_delong(scores, labels)
    assert result.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    half = stats.norm.ppf(0.975) * np.sqrt(variance) / (auc * (1 - auc))
    from_logit = 1 / (1 + np.exp(-(np.log(auc / (1 - auc)) + half * np.array([-1, 1]))))
    assert limits(result) == pytest.approx(tuple(from_logit), abs=1e-12)


def test_auc_is_antisymmetric():
    labels, scores = RNG(3).integers(0, 2, 60), RNG(4).normal(size=60)
    a, b = auc_interval(scores, labels), auc_interval(-scores, labels)
    assert (a.value, a.low, a.high) == pytest.approx((1 - b.value, 1 - b.high, 1 - b.low))


def test_auc_of_perfect_order_has_positive_width():
    labels = np.repeat([0, 1], [30, 50])
    result = auc_interval(labels * 1.0, labels)
    assert (result.value, result.high) == (1, 1)
    # Clopper and Pearson's limit for 30 pairs, all in the right order.
    exact = stats.binomtest(30, 30).proportion_ci(method="exact").low
    assert result.low == pytest.approx(exact, rel=1e-12)
    reverse = auc_interval(-labels, labels)
    assert (reverse.value, reverse.low) == (0, 0)
    assert reverse.high == pytest.approx(1 - exact)


def test_auc_of_empty_classes_ties_and_gaps():
    assert np.isnan(auc_interval([0.1, 0.2], [1, 1]).value)
    assert np.isnan(auc_interval([], np.zeros(0, int)).value)
    small = auc_interval([0.5, 0.4, 0.6], [1, 0, 0])
    assert small.value == 0.5
    assert np.isnan(limits(small)).all()
    tied = auc_interval(np.zeros(8), np.arange(8) % 2)
    assert (tied.value, tied.low, tied.high) == (0.5, 0.5, 0.5)
    gaps = auc_interval([np.nan, 0.1, 0.2, 0.3, 0.05], [1, 0, 1, 0, 1])
    assert (gaps.n, gaps.undefined) == (4, 1)
    with pytest.raises(InputError, match="0 or 1"):
        auc_interval([0.1, 0.2], [0, -1])


@pytest.mark.parametrize(("shift", "m", "n"), [(0.5, 60, 60), (1.8, 40, 120)])
def test_auc_interval_covers(shift, m, n):
    """95 % coverage: binormal scores, 600 repetitions."""
    rng, truth = RNG(5), stats.norm.cdf(shift / np.sqrt(2))
    labels = np.repeat([1, 0], [m, n])
    result = [auc_interval(rng.normal(shift * labels), labels) for _ in range(600)]
    coverage = np.mean([i.low <= truth <= i.high for i in result])
    assert 0.93 <= coverage <= 0.98  # +- 2.5 standard deviations of 600 trials, and small samples
