"""Simulations: how often intervals hold the truth, and tests find what is not there or what is.

Every value is a mean of 0, an effect of its run, one of its image and one of both. Shares of 400
repetitions have a standard error of 0.011 at 0.95.
"""

from itertools import combinations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from salix.stats import (
    bootstrap_difference,
    bootstrap_mean,
    bootstrap_pairwise_mean,
    compare_groups,
    max_t,
    mean_interval,
    permutation_test,
    sign_flip_test,
)

DRAWS = 600


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Thousands of small products: threads would wait for each other most of the time."""
    with threadpool_limits(1):
        yield


def normal(rng, size):
    return rng.normal(size=size)


def exponential(rng, size):
    """Skewness 2, mean 0, variance 1."""
    return rng.exponential(size=size) - 1


def gamma(rng, size):
    """Skewness 1, mean 0, variance 1."""
    return rng.gamma(4, size=size) / 2 - 2


def simulated(runs, images, run, of_run=normal, of_image=normal, repetitions=400, seed=0):
    """Return tables [repetition run image]; `run` is the runs' part of the error to the images'."""
    rng = np.random.default_rng((seed, runs, images))
    effect = np.sqrt(run * runs / images) * of_run(rng, (repetitions, runs, 1))
    return (
        effect
        + of_image(rng, (repetitions, 1, images))
        + rng.normal(size=(repetitions, runs, images))
    )


def coverage(intervals):
    return np.mean([i.low <= 0 <= i.high for i in intervals])


@pytest.mark.parametrize(
    ("of_run", "of_image"), [(normal, normal), (normal, exponential), (gamma, exponential)]
)
@pytest.mark.parametrize(("images", "part"), [(50, 1), (500, 5)])
@pytest.mark.parametrize("runs", [3, 5, 10])
def test_mean_covers(runs, images, part, of_run, of_image):
    tables = simulated(runs, images, part, of_run, of_image)
    assert 0.92 <= coverage(bootstrap_mean(t, draws=DRAWS) for t in tables) <= 0.98


def test_mean_of_runs_as_skewed_as_an_exponential_covers_less():
    """What the module says of its limits: no interval of 3 skewed values holds what it promises."""
    tables = simulated(3, 50, 30, exponential, exponential, repetitions=600)
    assert 0.86 <= coverage(bootstrap_mean(t, draws=DRAWS) for t in tables) <= 0.93


@pytest.mark.parametrize("of_image", [normal, exponential])
@pytest.mark.parametrize("images", [50, 500])
def test_one_model_covers(images, of_image):
    tables = of_image(np.random.default_rng(1), (500, images))
    assert 0.92 <= coverage(bootstrap_mean(t, draws=DRAWS) for t in tables) <= 0.98


def test_percentiles_of_resampled_runs_do_not_cover():
    """The control: the pigeonhole bootstrap's percentiles, for 3 runs with large effects."""
    rng = np.random.default_rng(2)
    tables = simulated(3, 50, 5)
    runs = rng.multinomial(3, np.full(3, 1 / 3), DRAWS) / 3
    images = rng.multinomial(50, np.full(50, 1 / 50), DRAWS) / 50
    means = np.einsum("dr,trn,dn->td", runs, tables, images, optimize=True)
    low, high = np.quantile(means, [0.025, 0.975], axis=1)
    assert np.mean((low <= 0) & (high >= 0)) < 0.9


def test_means_over_images_alone_do_not_cover():
    """The control: runs taken as given, where they differ."""
    tables = simulated(5, 500, 5)
    assert coverage(bootstrap_mean(t, draws=DRAWS, over=["images"]) for t in tables) < 0.75


@pytest.mark.parametrize(
    ("m", "n", "images", "of_image"),
    [(3, 3, 50, normal), (5, 5, 500, exponential), (3, 10, 50, exponential), (10, 5, 500, normal)],
)
def test_difference_covers(m, n, images, of_image):
    """Groups whose runs differ in spread, and images that every run finds as hard."""
    one = simulated(m, images, 1, normal, of_image)
    two = simulated(n, images, 4, normal, of_image, seed=1)
    shared = 10 * np.random.default_rng(3).normal(size=(400, 1, images))
    found = [
        bootstrap_difference(a + s, b + s, draws=DRAWS)
        for a, b, s in zip(one, two, shared, strict=True)
    ]
    assert 0.92 <= coverage(found) <= 0.98
    assert np.median([i.high - i.low for i in found]) < 3  # without what the images share


@pytest.mark.parametrize("own", [0, 1])  # the effects of pairs to those of their runs
@pytest.mark.parametrize("runs", [3, 5, 10])
def test_pairs_cover_where_a_sample_of_pairs_does_not(runs, own):
    rng, pairs = np.random.default_rng((4, runs, own)), np.array(list(combinations(range(runs), 2)))
    effect = rng.normal(size=(400, runs))
    tables = effect[:, pairs].sum(2) + own * rng.normal(size=(400, len(pairs)))
    tables = tables[:, :, None] + rng.normal(size=(400, len(pairs), 50))
    tables += rng.exponential(size=(400, 1, 50)) - 1
    names = [tuple(p) for p in pairs.tolist()]
    assert 0.92 <= coverage(bootstrap_pairwise_mean(t, names, draws=DRAWS) for t in tables) <= 0.99
    as_sample = coverage(mean_interval(t.mean(1)) for t in tables)
    assert as_sample < (0.92 if runs == 3 else 0.75)


@pytest.mark.parametrize(("m", "n", "of_run"), [(5, 5, normal), (4, 6, exponential)])
def test_permutation_holds_its_level_and_finds_what_is_there(m, n, of_run):
    x = of_run(np.random.default_rng(5), (1000, m + n))
    found = np.array([permutation_test(t[:m], t[m:]) for t in x])
    assert np.mean(found <= 0.05) <= 0.06
    planted = np.array([permutation_test(t[:m] + 2.5, t[m:]) for t in x[:300]])
    assert np.mean(planted <= 0.05) > 0.85


def test_random_splits_hold_their_level_too():
    x = np.random.default_rng(6).normal(size=(600, 16))
    found = np.array([permutation_test(t[:8], t[8:], draws=199) for t in x])
    assert 0.03 <= np.mean(found <= 0.05) <= 0.06


@pytest.mark.parametrize("rest", [normal, exponential])
def test_sign_flips_hold_their_level_and_find_what_is_there(rest):
    rng = np.random.default_rng(7)
    a, b = rest(rng, (2, 800, 60))
    found = np.array([sign_flip_test(x, y, draws=399) for x, y in zip(a, b, strict=True)])
    assert 0.03 <= np.mean(found <= 0.05) <= 0.06
    planted = [sign_flip_test(x + 0.7, y, draws=399) for x, y in zip(a[:200], b[:200], strict=True)]
    assert np.mean(np.array(planted) <= 0.05) > 0.9


def test_max_t_keeps_the_family():
    """Eight measures that go together: one false find in all of them 1 time in 20."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(400, 10, 1)) + 0.7 * rng.normal(size=(400, 10, 8))
    found = np.array([max_t(t[:5], t[5:]).min() for t in x])
    assert 0.02 <= np.mean(found <= 0.05) <= 0.06


def test_comparisons_keep_the_family():
    """Three groups in two measures: any false find in 1 report of 20, and a planted one found."""
    rng, wrong, right = np.random.default_rng(9), 0, 0
    for tables in rng.normal(size=(100, 2, 3, 6, 1)) + 0.5 * rng.normal(size=(100, 2, 3, 6, 40)):
        given = {k: dict(zip("abc", t, strict=True)) for k, t in zip("mn", tables, strict=True)}
        found = compare_groups(given, draws=1, permutations=1000)
        wrong += min(c.p_adjusted for c in found) <= 0.05
        planted = {"m": given["m"] | {"a": given["m"]["a"] + 4}}
        right += compare_groups(planted, draws=1, permutations=1000)[0].p_adjusted <= 0.05
    assert wrong / 100 <= 0.06
    assert right / 100 > 0.9
