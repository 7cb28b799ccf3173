"""Effect sizes against noncentral t, Mann-Whitney, Wilson and simulation."""

import numpy as np
import pytest
from scipy import optimize, stats

from salix.stats import cliffs_delta, hedges_g, paired_delta, proportion_interval
from salix.typing import InputError

RNG = np.random.default_rng


def limits(interval):
    return interval.low, interval.high


def test_hedges_g_of_known_numbers():
    """Means 3 and 1, both variances 1: d = 2, and J(4) = gamma(2) / (sqrt(2) gamma(1.5))."""
    result = hedges_g([2.0, 3.0, 4.0], [0.0, 1.0, 2.0])
    assert result.value == pytest.approx(2 * 0.7978845608, rel=1e-9)
    assert (result.n, result.undefined) == (6, 0)


@pytest.mark.parametrize(("m", "n", "shift"), [(5, 5, 0.7), (3, 8, -2), (2, 2, 0), (10, 10, 2)])
def test_limits_invert_the_noncentral_t(m, n, shift):
    a, b = RNG(0).normal(shift, 1, m), RNG(1).normal(0, 1, n)
    result, root = hedges_g(a, b), np.sqrt(m * n / (m + n))
    t = stats.ttest_ind(a, b).statistic
    for limit, tail in zip(limits(result), (0.975, 0.025), strict=True):
        solved = optimize.brentq(
            lambda d, tail=tail: stats.nct.cdf(t, m + n - 2, d * root) - tail, -9, 9
        )
        assert limit == pytest.approx(solved, rel=1e-5, abs=1e-6)


def test_limits_far_from_zero_are_those_of_the_chi_distribution():
    """t >= 1500 with 8 degrees of freedom, where SciPy's inverse is off by 1 in 5000, or NaN."""
    a = np.array([-1, -0.5, 0, 0.5, 1])
    for gap in (500.0, 740.0, 1e7):
        result = hedges_g(a + gap, a)
        t = stats.ttest_ind(a + gap, a).statistic
        scale = np.sqrt(stats.chi2.ppf([0.025, 0.975], 8) / 8) / np.sqrt(2.5)
        assert limits(result) == pytest.approx(tuple(t * scale), rel=3e-4)
        opposite = hedges_g(a, a + gap)
        assert limits(opposite) == pytest.approx((-result.high, -result.low), rel=3e-4)


def test_hedges_g_is_unbiased_and_covers():
    rng, delta = RNG(2), 1.2
    result = [hedges_g(rng.normal(delta, 1, 4), rng.normal(0, 1, 3)) for _ in range(2000)]
    values = np.array([g.value for g in result])
    assert values.mean() == pytest.approx(delta, abs=4 * values.std() / np.sqrt(2000))
    assert 0.94 <= np.mean([g.low <= delta <= g.high for g in result]) <= 0.96


def test_hedges_g_is_antisymmetric_and_unitless():
    a, b = RNG(3).normal(1, 1, 5), RNG(4).normal(0, 1, 4)
    first, second, three = hedges_g(a, b), hedges_g(b, a), hedges_g(10 * a - 3, 10 * b - 3)
    assert (first.value, *limits(first)) == pytest.approx(
        (-second.value, -second.high, -second.low), rel=1e-6
    )
    assert (first.value, *limits(first)) == pytest.approx((three.value, *limits(three)), rel=1e-9)


def test_hedges_g_of_few_or_constant_runs():
    for a, b in (([1.0], [2.0]), ([1.0, 2.0], [1.0]), ([], [1.0, 2.0, 3.0, 4.0])):
        result = hedges_g(a, b)
        assert np.isnan([result.value, *limits(result)]).all()
    constant = hedges_g([1.0, 1.0, 1.0], [2.0, 2.0])
    assert np.isnan(constant.value)
    gaps = hedges_g([2.0, 3.0, np.nan, 4.0], [0.0, 1.0, np.inf, 2.0])
    assert (gaps.n, gaps.undefined) == (6, 2)
    assert gaps.value == hedges_g([2.0, 3.0, 4.0], [0.0, 1.0, 2.0]).value
    for function in (hedges_g, cliffs_delta):
        with pytest.raises(InputError, match="one number per run"):
            function(np.zeros((3, 4)), np.zeros(3))


@pytest.mark.parametrize("decimals", [6, 0])
def test_cliffs_delta_counts_pairs(decimals):
    a, b = np.round(RNG(5).normal(0.5, 1, 9), decimals), np.round(RNG(6).normal(0, 1, 7), decimals)
    naive = np.mean([np.sign(x - y) for x in a for y in b])
    result = cliffs_delta(a, b)
    assert result.value == pytest.approx(naive, abs=1e-12)
    u = stats.mannwhitneyu(a, b).statistic
    assert result.value == pytest.approx(2 * u / 63 - 1, abs=1e-12)
    assert -1 <= result.low < result.value < result.high <= 1
    opposite = cliffs_delta(b, a)
    assert (-opposite.high, -opposite.low) == pytest.approx(limits(result))


def test_cliffs_delta_of_disjoint_and_small_groups():
    result = cliffs_delta(np.arange(5) + 10.0, np.arange(5.0))
    assert (result.value, result.high) == (1, 1)
    assert result.low == pytest.approx(2 * 0.025**0.2 - 1)
    assert np.isnan(cliffs_delta([], [1.0]).value)
    assert np.isnan(cliffs_delta([1.0], [2.0, 0.0]).low)
    gaps = cliffs_delta([np.nan, 1.0, 3.0], [0.0, 2.0])
    assert (gaps.n, gaps.undefined, gaps.value) == (4, 1, 0.5)


def test_paired_delta_without_ties_is_wilsons():
    a, b = RNG(7).normal(0.3, 1, 80), RNG(8).normal(0, 1, 80)
    share = proportion_interval(int((a > b).sum()), 80)
    result = paired_delta(a, b)
    expected = (2 * share.value - 1, 2 * share.low - 1, 2 * share.high - 1)
    assert (result.value, *limits(result)) == pytest.approx(expected, rel=1e-12)


def test_paired_delta_with_ties_solves_its_equation():
    a, b = RNG(9).integers(0, 3, 200), RNG(10).integers(0, 3, 200)
    result, differ = paired_delta(a, b, level=0.9), np.mean(a != b)
    assert result.value == pytest.approx((a > b).mean() - (a < b).mean())
    for limit in limits(result):
        spread = np.sqrt((differ - limit**2) / 200)
        assert abs(result.value - limit) == pytest.approx(stats.norm.ppf(0.95) * spread, rel=1e-9)


def test_paired_delta_covers_with_many_ties():
    """20 % of the images lie above, 5 % below and 75 % are tied: the true delta is 0.15."""
    rng = RNG(11)
    signs = rng.choice([1.0, -1.0, 0.0], size=(1500, 120), p=[0.2, 0.05, 0.75])
    result = [paired_delta(s, 0 * s) for s in signs]
    assert 0.935 <= np.mean([d.low <= 0.15 <= d.high for d in result]) <= 0.97


def test_paired_delta_at_its_ends():
    first, tied = paired_delta(np.ones(20), np.zeros(20)), paired_delta(np.ones(20), np.ones(20))
    assert (first.value, first.high) == (1, 1)
    assert 0.6 < first.low < 0.7
    assert (tied.value, tied.low, tied.high) == (0, 0, 0)
    gaps = paired_delta([1.0, np.nan, 2.0], [0.0, 1.0, np.inf])
    assert (gaps.n, gaps.undefined, gaps.value) == (1, 2, 1)
    assert np.isnan(paired_delta([np.nan], [1.0]).value)
    with pytest.raises(InputError, match=r"shape \(1,\) and \(2,\)"):
        paired_delta([1.0], [1.0, 2.0])
