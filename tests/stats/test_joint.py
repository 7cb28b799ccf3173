"""Joint sign flips and joint bootstrap against the tests and intervals of one number."""

import numpy as np
import pytest
from scipy import stats

from salix.stats import (
    benjamini_hochberg,
    bootstrap_mean,
    flipped_means,
    joint_flip_p,
    joint_limits,
    mean_interval,
    resampled_means,
    sign_flip_test,
)


def sparse(images, tests, seed=0, shift=0.1):
    rng = np.random.default_rng(seed)
    x = rng.gamma(1, 1, (images, tests)) - 1 + shift
    return np.where(rng.random(x.shape) < 0.5, x, np.nan)


def test_benjamini_hochberg_is_scipys():
    rng = np.random.default_rng(0)
    for size in (1, 2, 7, 40):
        p = np.round(rng.random(size) ** 3, 2)  # with ties
        np.testing.assert_allclose(benjamini_hochberg(p), stats.false_discovery_control(p))


def test_benjamini_hochberg_does_not_count_what_is_no_test():
    adjusted = benjamini_hochberg([0.01, np.nan, 0.02, 0.9])
    np.testing.assert_allclose(adjusted, [0.03, np.nan, 0.03, 0.9])
    assert benjamini_hochberg([]).shape == (0,)


def test_joint_flips_agree_with_the_test_of_one_number():
    x = sparse(400, 8)
    p = joint_flip_p(x, flipped_means(x))
    alone = [sign_flip_test(column, 0 * column) for column in x.T]
    # Two Monte Carlo estimates from 10,000 draws
    np.testing.assert_array_less(np.abs(p - alone), 5 * np.sqrt(2 * np.maximum(p, 1e-4) / 10_000))


def test_joint_flips_of_clusters_agree_with_the_test_of_one_number():
    x, clusters = sparse(400, 4), np.arange(400) // 5
    x += np.random.default_rng(1).normal(size=80)[clusters, None]
    p = joint_flip_p(x, flipped_means(x, clusters=clusters), clusters=clusters)
    alone = [sign_flip_test(column, 0 * column, clusters=clusters) for column in x.T]
    np.testing.assert_allclose(p, alone, atol=0.03)
    few = np.arange(400) // 50  # 8 clusters: Student's
    p = joint_flip_p(x, flipped_means(x, clusters=few), clusters=few)
    assert p.tolist() == [sign_flip_test(c, 0 * c, clusters=few) for c in x.T]


def test_few_images_are_swapped_in_all_ways_and_none_is_no_test():
    x = np.full((30, 3), np.nan)
    x[:3, 0], x[0, 1] = (1, 2, 3), 5
    p = joint_flip_p(x, flipped_means(x))
    np.testing.assert_array_equal(p, [0.25, 1, np.nan])


def test_the_greatest_mean_has_the_distribution_of_joint_swaps():
    x = sparse(200, 6, shift=0)
    greatest = np.abs(flipped_means(x)).max(1)
    rng, filled, n = np.random.default_rng(5), np.nan_to_num(x), np.isfinite(x).sum(0)
    slow = [
        np.abs((rng.choice([-1, 1], 200)[:, None] * filled).sum(0) / n).max() for _ in range(4000)
    ]
    assert stats.ks_2samp(greatest, slow).pvalue > 0.001


def test_joint_bootstrap_has_the_standard_error_of_the_mean():
    x = sparse(1000, 3)
    means = resampled_means(x)
    n = np.isfinite(x).sum(0)
    np.testing.assert_allclose(means.std(0), np.nanstd(x, axis=0) / np.sqrt(n), rtol=0.06)
    clusters = np.arange(1000) // 10
    shared = x + np.random.default_rng(0).normal(size=100)[clusters, None]
    half = [mean_interval(c, clusters=clusters) for c in shared.T]
    errors = [(i.high - i.value) / 1.98 for i in half]
    np.testing.assert_allclose(resampled_means(shared, clusters=clusters).std(0), errors, rtol=0.15)


def test_joint_limits_are_the_farther_ones_of_bca_and_student():
    x = sparse(2000, 4)
    for interval, column in zip(joint_limits(x, resampled_means(x)), x.T, strict=True):
        bca, student = bootstrap_mean(column), mean_interval(column)
        width = bca.high - bca.low
        assert (interval.n, interval.undefined) == (bca.n, bca.undefined)
        np.testing.assert_allclose(interval.value, bca.value)
        assert abs(interval.low - min(bca.low, student.low)) < 0.08 * width
        assert abs(interval.high - max(bca.high, student.high)) < 0.08 * width


def test_joint_limits_negate_to_the_bit():
    x = sparse(500, 5, shift=-0.02)
    x[40:, 4] = np.nan  # few
    one = joint_limits(x, resampled_means(x))
    two = joint_limits(-x, resampled_means(-x))
    assert [(i.value, i.low, i.high) for i in one] == [(-i.value, -i.high, -i.low) for i in two]


@pytest.mark.slow
@pytest.mark.parametrize("skewed", [True, False])
def test_joint_limits_cover_the_mean_of_skewed_and_of_long_tailed_values(skewed):
    hits = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        pair = rng.gamma(1, 1, (2, 100, 2))
        x = pair[0] - 1 if skewed else rng.gamma(2, 1, (100, 2)) * (pair[0] - pair[1])
        x = np.where(rng.random((100, 2)) < 0.6, x, np.nan)
        intervals = joint_limits(x, resampled_means(x, draws=500, seed=seed))
        hits += sum(i.low <= 0 <= i.high for i in intervals)
    assert 0.925 < hits / 800 < 0.98
