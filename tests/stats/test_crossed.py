"""Groups of runs over the images that they share: intervals over both samples."""

import numpy as np
import pytest
from scipy.stats import norm

from salix.stats import (
    auc_difference,
    auc_group_difference,
    auc_group_interval,
    auc_interval,
    crossed_mean,
    difference_interval,
    mean_interval,
    share_interval,
)
from salix.stats.clusters import ClusterDesign
from salix.stats.crossed import RunErrors, crossed_variance

REPETITIONS = 400
LEAST = 0.93 - 2 * np.sqrt(0.93 * 0.07 / REPETITIONS)  # two standard errors of the simulation
SEPARATION, RUN, IMAGE, GROUP_IMAGE, NOISE = 1.2, 0.25, 1.0, 0.5, 0.7
# Standard deviation of the scores of a class over images of all groups
SPREAD = np.sqrt(IMAGE**2 + GROUP_IMAGE**2 + NOISE**2)


def two_groups(rng, runs, images, clusters=None):
    """Scores [run image] of two equal groups: effects of run, image, group by image, and noise."""
    labels = rng.integers(0, 2, images)

    def effects(size):
        if clusters is None:
            return size * rng.normal(size=images)
        common = rng.normal(size=int(clusters.max()) + 1)[clusters]
        return size * np.sqrt(0.5) * (common + rng.normal(size=images))

    shared, tables = effects(IMAGE), []
    for _ in range(2):
        separation = SEPARATION + RUN * rng.normal(size=(runs, 1))
        own = effects(GROUP_IMAGE) + NOISE * rng.normal(size=(runs, images))
        tables.append(separation * (labels - 0.5) + shared + own)
    return *tables, labels


def expected(of_separation):
    """Mean over the population of runs, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    return float(weights @ of_separation(SEPARATION + RUN * nodes) / weights.sum())


AREA = expected(lambda d: norm.cdf(d / (np.sqrt(2) * SPREAD)))
ACCURACY = expected(lambda d: norm.cdf(d / (2 * SPREAD)))


@pytest.mark.slow
@pytest.mark.parametrize("clusters", [None, 20])
@pytest.mark.parametrize(("runs", "images"), [(3, 60), (3, 400), (10, 60)])
def test_intervals_over_runs_and_images_cover(runs, images, clusters, coverage):
    rng = np.random.default_rng((0, runs, images))
    code = None if clusters is None else np.arange(images) % clusters
    areas, shares, means, differences, p, old, old_differences = ([] for _ in range(7))
    for _ in range(REPETITIONS):
        a, b, labels = two_groups(rng, runs, images, code)
        areas.append(auc_group_interval(a, labels, clusters=code))
        right = (a > 0) == labels
        shares.append(crossed_mean(right, proportion=True, clusters=code))
        means.append(crossed_mean(a * (2 * labels - 1), clusters=code))
        difference, value = auc_group_difference(a, b, labels, clusters=code)
        differences.append(difference)
        p.append(value)
        over_runs = [mean_interval([auc_interval(s, labels).value for s in t]) for t in (a, b)]
        old.append(over_runs[0])
        old_differences.append(difference_interval(*over_runs))
    assert coverage(areas, AREA) >= LEAST
    assert coverage(shares, ACCURACY) >= LEAST
    assert coverage(means, SEPARATION / 2) >= LEAST
    assert coverage(differences, 0) >= LEAST
    assert np.mean(np.array(p) <= 0.05) <= 1 - LEAST
    if runs > 3 and images == 60 and clusters is None:  # negative controls: over runs alone
        assert coverage(old, AREA) < 0.8
        assert coverage(old_differences, 0) < 0.9


def test_interaction_counts_once():
    """The variance of a balanced two-way layout, from its mean squares."""
    rng, runs, images = np.random.default_rng(1), 6, 40
    x = 2 * rng.normal(size=(runs, 1)) + rng.normal(size=images) + rng.normal(size=(runs, images))
    means = x.mean(1)
    of_runs, of_images = means.var(ddof=1) / runs, x.mean(0).var(ddof=1) / images
    rest = x - means[:, None] - x.mean(0) + x.mean()
    interaction = (rest**2).sum() / ((runs - 1) * (images - 1)) / (runs * images)
    errors = (x - means[:, None]) / images
    variance, _ = crossed_variance([RunErrors(means, errors)], ClusterDesign.of(images))
    assert variance == pytest.approx(of_runs + of_images - interaction)


def test_one_run_has_the_interval_over_images():
    rng = np.random.default_rng(2)
    scores, labels = rng.normal(size=(1, 80)), np.arange(80) % 2
    assert auc_group_interval(scores, labels) == auc_interval(scores[0], labels)
    mean, own = crossed_mean(scores), mean_interval(scores[0])
    assert (mean.low, mean.high) == pytest.approx((own.low, own.high))
    flags = crossed_mean(scores > 0.5, proportion=True)
    assert flags.high - flags.value == pytest.approx(
        share_interval(scores[0] > 0.5).high - flags.value, rel=0.05
    )
    several = np.concatenate([scores, rng.normal(size=(2, 80))])
    assert auc_group_difference(several, scores, labels) == auc_difference(several, scores, labels)


def test_equal_and_perfect_runs():
    labels = np.arange(30) % 2
    perfect = labels + np.zeros((3, 1))
    interval = auc_group_interval(perfect, labels)
    assert (interval.value, interval.high) == (1, 1)
    assert interval.low == pytest.approx(0.025 ** (1 / 15))
    difference, p = auc_group_difference(perfect, perfect, labels)
    assert (difference.value, p) == (0, 1)
    assert difference.low < 0 < difference.high
    share = crossed_mean(perfect >= 0, proportion=True)
    assert (share.value, share.high) == (1, 1)
    assert 0.8 < share.low < 1
    assert np.isnan(crossed_mean([[np.nan], [1.0]]).value)
    assert np.isnan(crossed_mean([[2.0], [1.0]]).low)
