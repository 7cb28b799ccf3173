"""The difference of two correlated areas, against every pair of images, and how often it errs."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from salix.stats import auc_difference, auc_interval, difference_interval
from salix.typing import InputError

RNG = np.random.default_rng


def detectors(m, n, one, two, shared=0.5, decimals=9, seed=0):
    """Binormal scores of two models over the same images, with labels."""
    rng, labels = RNG((seed, m, n)), np.repeat([1, 0], [m, n])
    common = np.sqrt(shared) * rng.normal(size=m + n)
    own = np.sqrt(1 - shared) * rng.normal(size=(2, m + n))
    return *np.round(common + own + np.outer([one, two], labels), decimals), labels


def slow(a, b, labels):
    """Difference and its variance by the covariances of DeLong's components, pair by pair."""
    areas, of_one, of_zero = [], [], []
    for scores in (a, b):
        one, zero = scores[labels == 1], scores[labels == 0]
        wins = np.array([[float(x > y) + 0.5 * float(x == y) for y in zero] for x in one])
        areas.append(wins.mean())
        of_one.append(wins.mean(1))
        of_zero.append(wins.mean(0))
    s = np.cov(of_one) / len(of_one[0]) + np.cov(of_zero) / len(of_zero[0])
    return areas[0] - areas[1], s[0, 0] + s[1, 1] - 2 * s[0, 1]


@pytest.mark.parametrize("decimals", [9, 1, 0])  # the fewer, the more ties
@pytest.mark.parametrize(("m", "n", "level"), [(40, 60, 0.95), (12, 90, 0.9)])
def test_against_every_pair_of_images(decimals, m, n, level):
    a, b, labels = detectors(m, n, 1.5, 1.0, decimals=decimals)
    found, p = auc_difference(a, b, labels, level=level)
    d, variance = slow(a, b, labels)
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(variance)
    assert found.value == pytest.approx(roc_auc_score(labels, a) - roc_auc_score(labels, b))
    assert (found.low, found.high) == pytest.approx((d - half, d + half), abs=1e-12)
    assert p == pytest.approx(2 * stats.norm.sf(abs(d) / np.sqrt(variance)), rel=1e-9)
    assert (found.n, found.undefined) == (m + n, 0)


def test_only_the_order_of_the_scores_counts():
    a, b, labels = detectors(40, 60, 1.5, 1.0)
    assert auc_difference(np.exp(a), 5 + b**3, labels) == auc_difference(a, b, labels)


def test_models_classes_and_images_can_be_exchanged():
    a, b, labels = detectors(40, 60, 1.5, 1.0)
    found, p = auc_difference(a, b, labels)
    ends = (found.value, found.low, found.high)
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


def test_the_images_that_models_share_tell_more_than_two_samples():
    a, b, labels = detectors(100, 100, 1.5, 1.2, shared=0.9)
    found, _ = auc_difference(a, b, labels)
    apart = difference_interval(auc_interval(a, labels), auc_interval(b, labels))
    assert found.high - found.low < 0.6 * (apart.high - apart.low)


def test_several_runs_count_by_their_mean_area():
    a, b, labels = detectors(30, 50, 1.5, 1.0)
    c, d, _ = detectors(30, 50, 0.5, 2.0, seed=1)
    found, p = auc_difference(np.stack([a, c, d]), b, labels)
    areas = [roc_auc_score(labels, s) for s in (a, c, d, b)]
    assert found.value == pytest.approx(np.mean(areas[:3]) - areas[3])
    contrast = np.array([1, 1, 1, -3]) / 3
    wins = [s[labels == 1][:, None] > s[labels == 0] for s in (a, c, d, b)]
    s = sum(np.cov([w.mean(i) for w in wins]) / wins[0].shape[1 - i] for i in (0, 1))
    half = stats.norm.ppf(0.975) * np.sqrt(contrast @ s @ contrast)
    assert found.high - found.value == pytest.approx(half)
    assert p == pytest.approx(2 * stats.norm.sf(1.959964 * abs(found.value) / half), rel=1e-5)
    assert auc_difference([a, a], [b], labels) == auc_difference(a, b, labels)


@pytest.mark.parametrize(
    ("m", "n", "one", "two", "shared"),
    [(30, 30, 1.0, 1.0, 0.5), (20, 200, 2.0, 1.0, 0.5), (100, 100, 3.0, 2.3, 0.7)],
)
def test_the_interval_covers(m, n, one, two, shared):
    """The true difference lies inside 93 to 96 of 100 intervals, but for 1000 repetitions."""
    truth = float(np.subtract(*stats.norm.cdf(np.array([one, two]) / np.sqrt(2))))
    found = [auc_difference(*detectors(m, n, one, two, shared, seed=s))[0] for s in range(1000)]
    assert 0.915 <= np.mean([i.low <= truth <= i.high for i in found]) <= 0.97


@pytest.mark.parametrize(
    ("m", "n", "mean", "shared", "least"),
    [(60, 60, 1.0, 0.5, 0.035), (200, 50, 1.5, 0.9, 0.035), (8, 8, 1, 0.5, 0), (5, 5, 2, 0, 0)],
)
def test_alike_models_are_told_apart_one_time_in_twenty_or_less(m, n, mean, shared, least):
    found = [auc_difference(*detectors(m, n, mean, mean, shared, seed=s))[1] for s in range(1000)]
    assert least <= np.mean(np.array(found) <= 0.05) <= 0.067  # 0.05 + 2.5 standard deviations


def test_two_perfect_orders_are_not_known_to_be_equal():
    labels = np.repeat([0, 1], [30, 50])
    found, p = auc_difference(labels + 0.1 * RNG(0).random(80), 2.0 * labels, labels)
    least = stats.binomtest(30, 30).proportion_ci(method="exact").low  # of either area
    assert (found.value, p) == (0, 1)
    assert (found.low, found.high) == pytest.approx((least - 1, 1 - least))


def test_the_same_order_twice_has_the_limits_of_independent_areas():
    a, _, labels = detectors(30, 30, 1.0, 0.0)
    found, p = auc_difference(a, np.exp(a), labels)
    alone = auc_interval(a, labels)
    apart = difference_interval(alone, alone)
    assert (found.value, p) == (0, 1)
    assert (found.low, found.high) == pytest.approx((apart.low, apart.high))
    assert found.low < 0 < found.high


@pytest.mark.parametrize(("k", "least"), [(2, 0.5), (5, 0.0625), (10, 0.5**9)])
def test_no_difference_is_surer_than_that_many_pairs_of_images(k, least):
    labels = np.repeat([0, 1], [k, 3 * k])
    for other in (-labels, np.zeros(4 * k)):  # all wrong, all tied: no variance
        found, p = auc_difference(labels, other, labels)
        assert p == least
        assert np.isfinite([found.low, found.high]).all()
        assert -1 <= found.low < found.value <= found.high <= 1
    almost = np.where(np.arange(4 * k) == 0, -2, -labels)  # a variance, but a small one
    assert auc_difference(labels, almost, labels)[1] == least


def test_limits_stay_within_the_range():
    labels = np.repeat([0, 1], 4)
    found, _ = auc_difference(labels, [3, 2, 1, 1, 1, 0, 2, 0], labels)
    assert found.value < found.high == 1
    other, _ = auc_difference([3, 2, 1, 1, 1, 0, 2, 0], labels, labels)
    assert -1 == other.low < other.value


def test_too_little_to_compare():
    one_class, p = auc_difference([0.1, 0.2], [0.2, 0.1], [1, 1])
    assert np.isnan([one_class.value, one_class.low, one_class.high, p]).all()
    few, p = auc_difference([0.5, 0.4, 0.6], [0.5, 0.6, 0.7], [1, 0, 0])
    assert (few.value, p) == (0.5, 1)
    assert np.isnan([few.low, few.high]).all()
    perfect, p = auc_difference([1, 0, 0], [1, 0, 0], [1, 0, 0])
    assert (perfect.value, p) == (0, 1)
    assert (perfect.low, perfect.high) == pytest.approx((-0.975, 0.975))


def test_images_without_a_score_for_both_are_left_out_and_counted():
    a, b, labels = detectors(20, 20, 1.5, 1.0)
    expected, p = auc_difference(a[3:-1], b[3:-1], labels[3:-1])
    a[:2], b[2], b[-1] = np.nan, np.inf, -np.inf
    found, q = auc_difference(a, b, labels)
    assert (found.n, found.undefined) == (36, 4)
    assert (found.value, found.low, found.high, q) == (
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
def test_labels_are_zero_or_one_for_each_image(a, b, labels):
    with pytest.raises(InputError, match="give each image a label, 0 or 1"):
        auc_difference(a, b, labels)
