"""Difference of two correlated AUCs: against pairwise DeLong, laws, coverage and error rates."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from salix.stats import auc_difference, auc_interval, difference_interval
from salix.typing import InputError

RNG = np.random.default_rng


def detectors(m, n, first, second, correlation=0.5, decimals=9, seed=0):
    """Binormal scores of two models over the same images, with labels."""
    rng, labels = RNG((seed, m, n)), np.repeat([1, 0], [m, n])
    common = np.sqrt(correlation) * rng.normal(size=m + n)
    own = np.sqrt(1 - correlation) * rng.normal(size=(2, m + n))
    return *np.round(common + own + np.outer([first, second], labels), decimals), labels


def naive_delong(a, b, labels):
    """Difference and its variance by the covariances of DeLong's components, pair by pair."""
    areas, v10, v01 = [], [], []
    for scores in (a, b):
        first, zero = scores[labels == 1], scores[labels == 0]
        wins = np.array([[float(x > y) + 0.5 * float(x == y) for y in zero] for x in first])
        areas.append(wins.mean())
        v10.append(wins.mean(1))
        v01.append(wins.mean(0))
    s = np.cov(v10) / len(v10[0]) + np.cov(v01) / len(v01[0])
    return areas[0] - areas[1], s[0, 0] + s[1, 1] - 2 * s[0, 1]


@pytest.mark.parametrize("decimals", [9, 1, 0])  # the fewer, the more ties
@pytest.mark.parametrize(("m", "n", "level"), [(40, 60, 0.95), (12, 90, 0.9)])
def test_limits_and_p_value_equal_pairwise_delong(decimals, m, n, level):
    a, b, labels = detectors(m, n, 1.5, 1.0, decimals=decimals)
    result, p = auc_difference(a, b, labels, level=level)
    d, variance = naive_delong(a, b, labels)
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(variance)
    assert result.value == pytest.approx(roc_auc_score(labels, a) - roc_auc_score(labels, b))
    assert (result.low, result.high) == pytest.approx((d - half, d + half), abs=1e-12)
    assert p == pytest.approx(2 * stats.norm.sf(abs(d) / np.sqrt(variance)), rel=1e-9)
    assert (result.n, result.undefined) == (m + n, 0)


def test_invariant_to_monotone_transforms_of_the_scores():
    a, b, labels = detectors(40, 60, 1.5, 1.0)
    assert auc_difference(np.exp(a), 5 + b**3, labels) == auc_difference(a, b, labels)


def test_symmetric_in_models_classes_and_order_of_images():
    a, b, labels = detectors(40, 60, 1.5, 1.0)
    result, p = auc_difference(a, b, labels)
    ends = (result.value, result.low, result.high)
    order = RNG(1).permutation(100)
    for other, q in (
        auc_difference(-a, -b, 1 - labels),
        auc_difference(a[order], b[order], labels[order]),
    ):
        assert (other.value, other.low, other.high) == pytest.approx(ends)
        assert q == pytest.approx(p)
    back, q = auc_difference(b, a, labels)
    assert (-back.value, -back.high, -back.low) == pytest.approx(ends)
    assert q == p


def test_paired_interval_is_narrower_than_that_of_independent_samples():
    a, b, labels = detectors(100, 100, 1.5, 1.2, correlation=0.9)
    result, _ = auc_difference(a, b, labels)
    independent = difference_interval(auc_interval(a, labels), auc_interval(b, labels))
    assert result.high - result.low < 0.6 * (independent.high - independent.low)


def test_several_runs_enter_by_their_mean_area():
    a, b, labels = detectors(30, 50, 1.5, 1.0)
    c, d, _ = detectors(30, 50, 0.5, 2.0, seed=1)
    result, p = auc_difference(np.stack([a, c, d]), b, labels)
    areas = [roc_auc_score(labels, s) for s in (a, c, d, b)]
    assert result.value == pytest.approx(np.mean(areas[:3]) - areas[3])
    contrast = np.array([1, 1, 1, -3]) / 3
    wins = [s[labels == 1][:, None] > s[labels == 0] for s in (a, c, d, b)]
    s = sum(np.cov([w.mean(i) for w in wins]) / wins[0].shape[1 - i] for i in (0, 1))
    half = stats.norm.ppf(0.975) * np.sqrt(contrast @ s @ contrast)
    assert result.high - result.value == pytest.approx(half)
    assert p == pytest.approx(2 * stats.norm.sf(1.959964 * abs(result.value) / half), rel=1e-5)
    assert auc_difference([a, a], [b], labels) == auc_difference(a, b, labels)


@pytest.mark.parametrize(
    ("m", "n", "first", "second", "correlation"),
    [
        (20, 200, 2.0, 1.0, 0.5),
        pytest.param(30, 30, 1.0, 1.0, 0.5, marks=pytest.mark.slow),
        pytest.param(100, 100, 3.0, 2.3, 0.7, marks=pytest.mark.slow),
    ],
)
def test_the_interval_covers(m, n, first, second, correlation):
    """93-96 % coverage, within the error of 1000 repetitions."""
    truth = float(np.subtract(*stats.norm.cdf(np.array([first, second]) / np.sqrt(2))))
    result = [
        auc_difference(*detectors(m, n, first, second, correlation, seed=s))[0] for s in range(1000)
    ]
    assert 0.915 <= np.mean([i.low <= truth <= i.high for i in result]) <= 0.97


@pytest.mark.parametrize(
    ("m", "n", "mean", "correlation", "lowest"),
    [
        (60, 60, 1.0, 0.5, 0.035),
        (5, 5, 2, 0, 0),
        pytest.param(200, 50, 1.5, 0.9, 0.035, marks=pytest.mark.slow),
        pytest.param(8, 8, 1, 0.5, 0, marks=pytest.mark.slow),
    ],
)
def test_equal_models_are_rejected_at_most_at_the_nominal_rate(m, n, mean, correlation, lowest):
    result = [
        auc_difference(*detectors(m, n, mean, mean, correlation, seed=s))[1] for s in range(1000)
    ]
    assert lowest <= np.mean(np.array(result) <= 0.05) <= 0.067  # 0.05 + 2.5 standard deviations


def test_two_perfect_models_have_p_one_and_wide_limits():
    labels = np.repeat([0, 1], [30, 50])
    result, p = auc_difference(labels + 0.1 * RNG(0).random(80), 2.0 * labels, labels)
    smallest = stats.binomtest(30, 30).proportion_ci(method="exact").low  # of either area
    assert (result.value, p) == (0, 1)
    assert (result.low, result.high) == pytest.approx((smallest - 1, 1 - smallest))


def test_identical_orders_have_the_limits_of_independent_areas():
    a, _, labels = detectors(30, 30, 1.0, 0.0)
    result, p = auc_difference(a, np.exp(a), labels)
    alone = auc_interval(a, labels)
    independent = difference_interval(alone, alone)
    assert (result.value, p) == (0, 1)
    assert (result.low, result.high) == pytest.approx((independent.low, independent.high))
    assert result.low < 0 < result.high


@pytest.mark.parametrize(("k", "smallest"), [(2, 0.5), (5, 0.0625), (10, 0.5**9)])
def test_p_value_is_bounded_below_by_the_sign_test(k, smallest):
    labels = np.repeat([0, 1], [k, 3 * k])
    for other in (-labels, np.zeros(4 * k)):  # all wrong, all tied: no variance
        result, p = auc_difference(labels, other, labels)
        assert p == smallest
        assert np.isfinite([result.low, result.high]).all()
        assert -1 <= result.low < result.value <= result.high <= 1
    almost = np.where(np.arange(4 * k) == 0, -2, -labels)  # a variance, but a small one
    assert auc_difference(labels, almost, labels)[1] == smallest


def test_limits_stay_within_the_range():
    labels = np.repeat([0, 1], 4)
    result, _ = auc_difference(labels, [3, 2, 1, 1, 1, 0, 2, 0], labels)
    assert result.value < result.high == 1
    other, _ = auc_difference([3, 2, 1, 1, 1, 0, 2, 0], labels, labels)
    assert -1 == other.low < other.value


def test_undefined_for_an_empty_class_and_limits_for_a_single_image():
    one_class, p = auc_difference([0.1, 0.2], [0.2, 0.1], [1, 1])
    assert np.isnan([one_class.value, one_class.low, one_class.high, p]).all()
    few, p = auc_difference([0.5, 0.4, 0.6], [0.5, 0.6, 0.7], [1, 0, 0])
    assert (few.value, p) == (0.5, 1)
    assert np.isnan([few.low, few.high]).all()
    perfect, p = auc_difference([1, 0, 0], [1, 0, 0], [1, 0, 0])
    assert (perfect.value, p) == (0, 1)
    assert (perfect.low, perfect.high) == pytest.approx((-0.975, 0.975))


def test_images_without_finite_scores_are_left_out_and_counted():
    a, b, labels = detectors(20, 20, 1.5, 1.0)
    expected, p = auc_difference(a[3:-1], b[3:-1], labels[3:-1])
    a[:2], b[2], b[-1] = np.nan, np.inf, -np.inf
    result, q = auc_difference(a, b, labels)
    assert (result.n, result.undefined) == (36, 4)
    assert (result.value, result.low, result.high, q) == (
        expected.value,
        expected.low,
        expected.high,
        p,
    )


@pytest.mark.parametrize(
    ("a", "b", "labels"),
    [
        ([0.1, 0.2], [0.1, 0.2], [0, 2]),
        ([0.1, 0.2], [0.1, 0.2], [0, -1]),
        ([0.1, 0.2], [0.1, 0.2, 0.3], [0, 1]),
        ([0.1, 0.2], [0.1, 0.2], [0, 1, 1]),
    ],
)
def test_rejects_other_labels_and_unequal_lengths(a, b, labels):
    with pytest.raises(InputError, match="give each image a label, 0 or 1"):
        auc_difference(a, b, labels)
