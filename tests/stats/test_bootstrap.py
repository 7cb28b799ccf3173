"""Intervals over runs and images: against Student, Welch, SciPy's BCa and the jackknife."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from salix.stats import bootstrap_difference, bootstrap_mean, bootstrap_pairwise_mean, mean_interval
from salix.typing import InputError

RNG = np.random.default_rng


def limits(interval):
    return interval.low, interval.high


def table(runs, images, seed=0, run=1.0, image=1.0, rest=1.0):
    rng = RNG(seed)
    values = run * rng.normal(size=(runs, 1)) + image * rng.normal(size=images)
    return values + rest * rng.normal(size=(runs, images))


def test_over_runs_is_students_of_the_run_means():
    x = table(6, 40)
    result, expected = bootstrap_mean(x, over=["runs"]), mean_interval(x.mean(1))
    assert limits(result) == pytest.approx(limits(expected), rel=1e-9)
    assert result.value == pytest.approx(x.mean(), rel=1e-12)
    assert (result.n, result.undefined) == (40, 0)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_over_images_is_scipys_bca(level):
    x = RNG(1).exponential(size=60)
    result = bootstrap_mean(x, level=level, draws=40_000)
    # Hesterberg's widened level, at which the ordinary bootstrap is as wide as Student's interval.
    z = np.sqrt(60 / 59) * stats.t.ppf((1 + level) / 2, 59)
    expected = stats.bootstrap(
        (x,), np.mean, n_resamples=40_000, confidence_level=2 * stats.norm.cdf(z) - 1, rng=RNG(2)
    ).confidence_interval
    width = expected.high - expected.low
    assert limits(result) == pytest.approx((expected.low, expected.high), abs=0.015 * width)
    assert result.high - result.value > 1.1 * (
        result.value - result.low
    )  # the skewness of the values


def test_over_images_of_normal_values_is_students():
    x = RNG(3).normal(size=400)
    x -= (x**3).mean() / (3 * x.var())  # leaves almost no skewness
    student = mean_interval(x)
    result = bootstrap_mean(x, draws=40_000)
    assert limits(result) == pytest.approx(limits(student), abs=0.03 * (student.high - student.low))


def test_over_images_uses_the_means_over_runs():
    x = table(4, 80)
    result, expected = bootstrap_mean(x, over=["images"]), bootstrap_mean(x.mean(0))
    assert limits(result) == pytest.approx(limits(expected), rel=1e-9)
    assert bootstrap_mean(x[:1]) == bootstrap_mean(x[0])  # one run: images only


def test_crossed_interval_exceeds_each_factor_and_has_owens_variance():
    """With many runs the limits are normal: Owen's variance, with the interaction counted once."""
    x = table(150, 200, seed=4)
    result = bootstrap_mean(x, draws=20_000)
    columns = x.mean(0)
    residual = x - x.mean(1, keepdims=True) - columns + x.mean()
    interaction = (residual**2).sum() / (149 * 199)
    variance = x.mean(1).var(ddof=1) / 150 + columns.var(ddof=1) / 200 - interaction / (150 * 200)
    assert result.high - result.low == pytest.approx(2 * 1.97 * np.sqrt(variance), rel=0.02)
    for first in (["runs"], ["images"]):
        alone = bootstrap_mean(x, over=first)
        assert result.high - result.low > alone.high - alone.low


def test_interaction_of_run_and_image_is_counted_once():
    x = table(150, 100, seed=5, run=0, image=0)
    result = bootstrap_mean(x, draws=20_000)
    assert result.high - result.low == pytest.approx(2 * 1.97 / np.sqrt(150 * 100), rel=0.12)


def test_draws_of_many_images_are_split_to_bound_memory():
    x = table(3, 60_000, seed=6, run=0.001)
    result = bootstrap_mean(x, draws=150, over=["images"])
    half = 1.96 * x.mean(0).std() / np.sqrt(60_000)
    assert result.high - result.low == pytest.approx(2 * half, rel=0.3)
    # With this many images each draw is drawn separately; the draws must differ.
    few_draws = bootstrap_mean(RNG(7).normal(size=2**22), draws=3)
    assert few_draws.low < few_draws.high


def test_images_without_a_value_in_every_run_are_left_out():
    x = table(3, 50)
    gaps = np.concatenate([x, table(3, 2)], axis=1)
    gaps[0, 50], gaps[2, 51] = np.nan, np.inf
    result = bootstrap_mean(gaps)
    assert (result.n, result.undefined) == (50, 2)
    assert limits(result) == limits(bootstrap_mean(x))


def test_mean_is_equivariant_and_seeded():
    x = table(5, 60)
    result, scaled = bootstrap_mean(x), bootstrap_mean(3 * x + 7)
    expected = 3 * np.array([result.value, *limits(result)]) + 7
    assert (scaled.value, *limits(scaled)) == pytest.approx(expected, rel=1e-9)
    assert bootstrap_mean(x, seed=1) != result
    assert bootstrap_mean(x, seed=1).low == pytest.approx(result.low, abs=0.05)
    mirror = bootstrap_mean(-x)
    assert (-mirror.high, -mirror.low) == pytest.approx(limits(result), abs=0.03)


def test_constant_values_have_zero_width_and_single_ones_no_limits():
    assert bootstrap_mean(np.full((3, 20), 0.1)).low == pytest.approx(0.1, rel=1e-12)
    assert bootstrap_mean(np.full((3, 20), 0.1)).high == pytest.approx(0.1, rel=1e-12)
    for single in (
        bootstrap_mean([[1.0]]),
        bootstrap_mean([[1.0], [2.0]]),
        bootstrap_mean(table(1, 9), over=["runs"]),
    ):
        assert np.isfinite(single.value)
        assert np.isnan(limits(single)).all()


def test_limits_of_a_rare_event_stay_in_range():
    rare = (np.arange(300) < 2) * 1.0
    result = bootstrap_mean(rare)
    assert 0 <= result.low < 2 / 300 < result.high < 0.05


@pytest.mark.parametrize(
    ("values", "options", "text"),
    [
        (np.full((2, 5), np.nan), {}, "no image has a value in every run"),
        (np.zeros((0, 5)), {}, r"shape \(0, 5\): give \[run, image\]"),
        (np.zeros((2, 2, 2)), {}, r"shape \(2, 2, 2\)"),
        (np.zeros((2, 5)), {"over": ["pairs"]}, "give runs, images or both"),
        (np.zeros((2, 5)), {"over": []}, "give runs, images or both"),
        (np.zeros((2, 5)), {"level": 95}, "level=95"),
        (np.zeros((2, 5)), {"draws": 0}, "at least one draw"),
    ],
)
def test_rejects_invalid_input(values, options, text):
    with pytest.raises(InputError, match=text):
        bootstrap_mean(values, **options)


def test_difference_over_runs_is_welchs():
    a, b = table(4, 30, run=2), 1 + table(7, 30, seed=1)
    result = bootstrap_difference(a, b, over=["runs"])
    expected = stats.ttest_ind(a.mean(1), b.mean(1), equal_var=False).confidence_interval()
    assert limits(result) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_difference_of_two_models_is_paired():
    a = table(1, 90, image=5, rest=0.1)[0]
    b = a + 0.3 + 0.1 * RNG(1).normal(size=90)
    result = bootstrap_difference(a, b)
    assert result == bootstrap_mean(a - b)
    assert result.high - result.low < 0.1  # without the common effect of the images
    expected = stats.ttest_rel(a, b).confidence_interval()
    assert limits(result) == pytest.approx((expected.low, expected.high), abs=0.005)


def test_difference_is_antisymmetric_and_images_are_common():
    a, b = table(3, 50), table(4, 50, seed=1)
    a[0, 3] = b[2, 7] = np.nan
    first, second = bootstrap_difference(a, b), bootstrap_difference(b, a)
    assert (first.n, first.undefined) == (48, 2)
    assert first.value == pytest.approx(-second.value)
    assert limits(first) == pytest.approx((-second.high, -second.low), abs=0.05)
    known = np.delete(np.arange(50), [3, 7])
    assert first.value == pytest.approx(a[:, known].mean() - b[:, known].mean())


def test_difference_with_a_single_run_is_over_images():
    a, b = table(1, 50), table(4, 50, seed=1)
    result = bootstrap_difference(a, b)
    assert limits(result) == pytest.approx(limits(bootstrap_mean(a[0] - b.mean(0))), rel=1e-9)
    with pytest.raises(InputError, match="50 and 40 images"):
        bootstrap_difference(a, b[:, :40])
    with pytest.raises(InputError, match="no image has a value"):
        bootstrap_difference(a, b * np.nan)


def pairs_of(runs):
    return list(combinations("abcdefghij"[:runs], 2))


def naive_jackknife(x, pairs):
    """Mean over pairs and images, and its variance by leaving out each run in turn."""
    names = sorted({n for pair in pairs for n in pair})
    left_out = np.array(
        [np.mean([m for m, p in zip(x, pairs, strict=True) if r not in p]) for r in names]
    )
    return x.mean(), (len(names) - 1) / len(names) * ((left_out - x.mean()) ** 2).sum()


@pytest.mark.parametrize("runs", [3, 4, 7])
def test_pairwise_mean_over_runs_is_the_jackknife(runs):
    pairs = pairs_of(runs)
    x = table(len(pairs), 30)
    result = bootstrap_pairwise_mean(x, pairs, over=["runs"])
    value, variance = naive_jackknife(x, pairs)
    half = stats.t.ppf(0.975, runs - 1) * np.sqrt(variance)
    assert limits(result) == pytest.approx((value - half, value + half), rel=1e-9)


def test_pairs_of_additive_runs_are_twice_their_mean():
    """With h = u_r + u_s the mean over pairs is 2 mean(u): so is Student's interval of it."""
    u, pairs = RNG(3).normal(size=6), list(combinations(range(6), 2))
    x = np.array([[u[r] + u[s]] * 20 for r, s in pairs])
    expected = 2 * np.array(limits(mean_interval(u)))
    assert limits(bootstrap_pairwise_mean(x, pairs)) == pytest.approx(tuple(expected), rel=1e-3)
    order = RNG(4).permutation(15)
    shuffled = bootstrap_pairwise_mean(x[order], [pairs[i][::-1] for i in order])
    assert limits(shuffled) == pytest.approx(tuple(expected), rel=1e-3)


def test_pair_of_two_runs_has_an_interval_over_images():
    x = RNG(0).normal(size=(1, 40))
    assert bootstrap_pairwise_mean(x, [("a", "b")]) == bootstrap_mean(x)
    assert np.isnan(bootstrap_pairwise_mean(x, [("a", "b")], over=["runs"]).low)


@pytest.mark.parametrize(
    "pairs",
    [
        [("a", "b"), ("a", "c")],
        [("a", "b"), ("a", "c"), ("c", "a")],
        [("a", "b"), ("a", "c"), ("c", "c")],
        [("a", "b"), ("a", "c"), ("b", "c"), ("b", "d")],
    ],
)
def test_every_two_runs_must_form_one_pair(pairs):
    with pytest.raises(InputError, match="give every two runs once"):
        bootstrap_pairwise_mean(np.zeros((3, 5)), pairs)
