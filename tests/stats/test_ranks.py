"""Ranks of methods and agreement of rankings, against SciPy and closed forms."""

import numpy as np
import pytest
from scipy import stats

from salix.stats.ranks import (
    kendall_tau,
    kendall_w,
    rank_correlation,
    rank_methods,
    split_half_tau,
    unit_count,
)

rng = np.random.default_rng(0)


def test_ranks_are_those_of_scipy_from_the_highest():
    x = rng.integers(0, 5, (20, 7)).astype(float)
    np.testing.assert_allclose(rank_methods(x), stats.rankdata(-x, axis=1))
    with_gap = [3.0, np.nan, 5.0, 3.0]
    np.testing.assert_array_equal(rank_methods(with_gap), [2.5, np.nan, 1, 2.5])


def test_tau_is_that_of_scipy():
    a, b = rng.integers(0, 6, (2, 10, 8)).astype(float)
    expected = [stats.kendalltau(x, y).statistic for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(kendall_tau(a, b), expected)
    assert np.isnan(kendall_tau(np.ones(4), np.arange(4)))
    np.testing.assert_allclose(kendall_tau([1, 2, np.nan, 4], [1, 2, 0, 4]), 1)


def test_concordance_by_its_relation_to_spearman_and_friedman():
    x = rng.normal(size=(5, 6))
    rho = np.mean([stats.spearmanr(x[i], x[j]).statistic for i in range(5) for j in range(i)])
    w = kendall_w(rank_methods(x))
    assert w == pytest.approx((rho * 4 + 1) / 5)
    tied = rng.integers(0, 3, (4, 6)).astype(float)
    chi = stats.friedmanchisquare(*tied.T).statistic
    assert kendall_w(rank_methods(tied)) == pytest.approx(chi / (4 * 5))
    assert kendall_w(np.tile(np.arange(5.0), (3, 1))) == pytest.approx(1)
    assert np.isnan(kendall_w(np.ones((1, 3))))
    assert np.isnan(kendall_w(np.ones((3, 3))))


def test_correlation_of_ranks_is_that_of_scipy():
    a, b = rng.integers(0, 6, (2, 12, 9)).astype(float)
    expected = [stats.spearmanr(x, y).statistic for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(rank_correlation(a, b), expected)
    a[0, 2:] = np.nan
    a[1] = 3
    b[2, 4] = np.nan
    rho = rank_correlation(a, b)
    assert np.isnan(rho[:2]).all()
    assert rho[2] == pytest.approx(stats.spearmanr(*np.delete([a[2], b[2]], 4, 1)).statistic)


def test_halves_agree_where_methods_differ_and_not_where_they_are_alike():
    noise = rng.normal(size=(400, 5))
    apart = split_half_tau(noise + 3 * np.arange(5))
    alike = split_half_tau(noise)
    assert (apart == 1).all()
    assert abs(alike.mean()) < 0.35
    assert len(split_half_tau(noise[:3])) == 0
    # Copies of three images are three images, not many.
    clusters = np.repeat(np.arange(3), 100)
    assert len(split_half_tau(np.repeat(noise[:3], 100, 0), clusters=clusters)) == 0
    assert (unit_count(clusters, 300), unit_count(None, 300)) == (3, 300)
