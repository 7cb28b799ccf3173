"""Permutation tests against SciPy, and corrections against naive procedures."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from salix.stats import holm, max_t, minimum_p, permutation_test, sign_flip_test
from salix.typing import InputError

RNG = np.random.default_rng


def distance(a, b, axis):
    return np.abs(a.mean(axis) - b.mean(axis))


@pytest.mark.parametrize(("m", "n", "shift"), [(5, 5, 1), (3, 7, 1), (2, 2, 0), (2, 6, 3)])
def test_exact_p_is_scipys(m, n, shift):
    a, b = RNG(0).normal(shift, 1, m), RNG(1).normal(0, 1, n)
    expected = stats.permutation_test(
        (a, b), distance, alternative="greater", n_resamples=np.inf, vectorized=True
    )
    assert permutation_test(a, b) == pytest.approx(expected.pvalue, rel=1e-12)


def test_disjoint_groups_have_the_minimum_p():
    for m, n in ((3, 3), (5, 5), (4, 6)):
        p = permutation_test(np.arange(m) + 10.0, np.arange(n))
        assert p == pytest.approx(minimum_p(m, n), rel=1e-12)
    assert minimum_p(3, 3) == pytest.approx(0.1)
    assert minimum_p(5, 5) == pytest.approx(2 / 252)
    assert minimum_p(4, 6) == pytest.approx(1 / 210)


def test_random_p_is_close_to_the_exact_one():
    a, b = RNG(2).normal(0.8, 1, 8), RNG(3).normal(0, 1, 8)  # 12870 splits
    exact = permutation_test(a, b, draws=20_000)
    result = permutation_test(a, b, draws=9_999)
    assert result != exact
    assert result == pytest.approx(exact, abs=4 * np.sqrt(exact / 9_999))
    assert result == permutation_test(a, b, draws=9_999)
    assert permutation_test(a, b, draws=9_999, seed=1) != result


def test_random_p_includes_the_observed_split():
    a, b = np.arange(20) + 100.0, np.arange(20.0)
    assert permutation_test(a, b, draws=99) == pytest.approx(0.01)
    assert sign_flip_test(a, b, draws=99) == pytest.approx(0.01)


def test_p_is_two_sided_and_invariant_to_scale():
    a, b = RNG(4).normal(1, 1, 5), RNG(5).normal(0, 1, 4)
    p = permutation_test(a, b)
    assert p == permutation_test(-a, -b) == permutation_test(1e9 + 50 * a, 1e9 + 50 * b)
    assert p == permutation_test(b, a)


def test_ties_count():
    assert permutation_test([1.0, 1.0, 1.0], [1.0, 1.0]) == 1
    assert permutation_test([0.1, 0.3], [0.3, 0.1]) == 1
    # 0.1 + 0.2 and 0.3 are tied up to rounding: all 6 splits have the same distance.
    assert permutation_test([0.1 + 0.2, 0.0], [0.3, 0.0]) == 1


@pytest.mark.parametrize(
    ("a", "b", "text"),
    [
        ([], [1.0], "not empty"),
        ([1.0, np.nan], [1.0], "NaN or infinite"),
        ([[1.0, 2.0]], [1.0], "one number per run"),
    ],
)
def test_rejects_invalid_groups(a, b, text):
    with pytest.raises(InputError, match=text):
        permutation_test(a, b)


@pytest.mark.parametrize("n", [3, 9, 12])
def test_exact_flips_are_scipys(n):
    a, b = RNG(6).normal(0.4, 1, n), RNG(7).normal(0, 1, n)

    def statistic(a, b, axis):
        return np.abs((a - b).mean(axis))

    expected = stats.permutation_test(
        (a, b),
        statistic,
        permutation_type="samples",
        alternative="greater",
        n_resamples=np.inf,
        vectorized=True,
    )
    assert sign_flip_test(a, b) == pytest.approx(expected.pvalue, rel=1e-12)


@pytest.mark.parametrize("images", [30, 700])
def test_random_flips_are_close_to_the_paired_t_test(images):
    b = RNG(8).normal(size=images)
    a = b + RNG(9).normal(1.5 / np.sqrt(images), 1, images)
    result, expected = sign_flip_test(a, b), stats.ttest_rel(a, b).pvalue
    assert result == pytest.approx(expected, abs=0.02)
    assert result == sign_flip_test(b, a)


def test_flips_of_binary_values_are_the_sign_test():
    """9 of 500 images differ, 8 of them in one direction: McNemar's exact test, ties counted."""
    a, b = np.zeros(500), np.zeros(500)
    a[:8], b[8] = 1, 1
    expected = stats.binomtest(8, 9).pvalue
    assert sign_flip_test(a, b) == pytest.approx(expected, rel=1e-12)
    assert sign_flip_test(a, b, draws=400) == pytest.approx(expected, abs=0.03)
    assert sign_flip_test(a, a) == 1


def test_flips_in_blocks_are_the_same_test():
    """More images than fit in one block of draws."""
    d = RNG(10).normal(0.0035, 1, 300_000)
    expected = stats.ttest_1samp(d, 0).pvalue
    assert sign_flip_test(d, 0 * d, draws=150) == pytest.approx(expected, abs=0.1)


def test_images_of_one_model_only_are_left_out():
    a, b = RNG(11).normal(0.5, 1, 12), RNG(12).normal(0, 1, 12)
    expected = sign_flip_test(a[:10], b[:10])
    a[10], b[11] = np.nan, np.inf
    assert sign_flip_test(a, b) == expected
    with pytest.raises(InputError, match="no image has a value for both"):
        sign_flip_test([np.nan, 1.0], [1.0, np.nan])
    with pytest.raises(InputError, match=r"shape \(2,\) and \(3,\)"):
        sign_flip_test([1.0, 2.0], [1.0, 2.0, 3.0])


def naive_holm(p):
    """Holm's procedure at every level: the smallest at which a hypothesis is rejected."""
    p, adjusted = list(p), []
    levels = sorted({min(1.0, k * x) for x in p for k in range(1, len(p) + 1)} | {1.0})
    for i in range(len(p)):
        for level in levels:
            rejected, order = set(), sorted(range(len(p)), key=p.__getitem__)
            for step, j in enumerate(order):
                if p[j] * (len(p) - step) > level + 1e-15:
                    break
                rejected.add(j)
            if i in rejected or level == 1:
                adjusted.append(level)
                break
    return adjusted


@pytest.mark.parametrize("seed", range(4))
def test_holm_is_the_procedure(seed):
    p = np.round(RNG(seed).uniform(0, 0.4, 7), 1 + seed)
    assert holm(p) == pytest.approx(naive_holm(p), abs=1e-12)


def test_holm_of_known_values():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.02]) == pytest.approx([0.02])
    assert holm([]).shape == (0,)
    with_gap = holm([0.01, np.nan, 0.04])
    assert with_gap[[0, 2]] == pytest.approx([0.02, 0.04])
    assert np.isnan(with_gap[1])


def naive_max_t(a, b):
    """Step-down of the greatest |t|, one split and one hypothesis at a time."""
    x, m = np.concatenate([a, b]), len(a)

    def t(first):
        rest = [i for i in range(len(x)) if i not in first]
        return np.abs(stats.ttest_ind(x[list(first)], x[rest]).statistic)

    tables = np.array([t(first) for first in combinations(range(len(x)), m)])
    result = t(range(m))
    order, adjusted, last = np.argsort(-result), np.zeros(len(result)), 0.0
    for step, j in enumerate(order):
        greatest = tables[:, order[step:]].max(1)
        last = adjusted[j] = max(last, np.mean(greatest >= result[j] - 1e-9))
    return adjusted


def test_max_t_is_westfalls_and_youngs():
    shared = RNG(13).normal(size=(7, 1))
    x = shared + RNG(14).normal(size=(7, 4)) * [1, 1, 1, 100]
    a, b = x[:3] + np.array([2, 0, 1, 0]), x[3:]
    assert max_t(a, b) == pytest.approx(naive_max_t(a, b), rel=1e-12)


def test_max_t_of_copies_is_unadjusted_unlike_holm():
    a, b = RNG(15).normal(3, 1, 5), RNG(16).normal(0, 1, 5)
    p = permutation_test(a, b)
    copies = max_t(np.stack([a, 3 * a], 1), np.stack([b, 3 * b], 1))
    assert copies == pytest.approx([p, p])
    assert holm([p, p]) == pytest.approx([2 * p, 2 * p])
    with pytest.raises(InputError, match=r"give \[run, measure\]"):
        max_t(np.zeros((3, 2)), np.zeros((3, 1)))


def test_max_t_adjusts_upwards():
    for m, seed in product((3, 5), range(3)):
        a, b = RNG(seed).normal(0.5, 1, (m, 3)), RNG(seed + 50).normal(0, 1, (5, 3))
        raw = [permutation_test(a[:, k], b[:, k]) for k in range(3)]
        assert (max_t(a, b) >= np.array(raw) - 1e-12).all()
