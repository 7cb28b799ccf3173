"""Clusters of dependent images: reductions to independent images, coverage, error rates."""

import inspect

import numpy as np
import pytest

from salix import stats
from salix.stats import (
    DistributionShift,
    MeanMap,
    MeanMapShift,
    Sample,
    auc_difference,
    auc_group_difference,
    auc_group_interval,
    auc_interval,
    bootstrap_difference,
    bootstrap_mean,
    crossed_mean,
    mean_difference,
    mean_interval,
    share_interval,
)
from salix.stats.clusters import ClusterDesign, cluster_codes
from salix.typing import InputError

UNEQUAL = (5, 5, 10, 10, 20, 20, 40, 80, 100, 200) * 2


def clustered(rng, sizes, icc, shape=()):
    """Normal values [... image] of variance 1, correlated by `icc` within clusters."""
    code = np.repeat(np.arange(len(sizes)), sizes)
    own = rng.normal(size=(*shape, len(code)))
    common = rng.normal(size=(*shape, len(sizes)))[..., code]
    return np.sqrt(icc) * common + np.sqrt(1 - icc) * own, code


def limits(interval):
    return interval.value, interval.low, interval.high


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    return rng.normal(size=(3, 60)) + labels, rng.normal(size=(3, 60)) + 0.6 * labels, labels


# Every function whose sample is images, of tables a and b [run, image] and labels [image].
ESTIMATES = {
    "mean": lambda a, b, y, **c: mean_interval(a[0], **c),
    "proportion": lambda a, b, y, **c: share_interval(a[0] > -0.3, **c),
    "all hits": lambda a, b, y, **c: share_interval(a[0] > -9, **c),
    "bootstrap of one run": lambda a, b, y, **c: bootstrap_mean(a[0], **c),
    "bootstrap of runs": lambda a, b, y, **c: bootstrap_mean(a, **c),
    "difference of two models": lambda a, b, y, **c: bootstrap_difference(a[0], b[0], **c),
    "difference of groups": lambda a, b, y, **c: bootstrap_difference(a, b, **c),
    "mean of runs": lambda a, b, y, **c: crossed_mean(a, **c),
    "share of runs": lambda a, b, y, **c: crossed_mean(a > -0.3, proportion=True, **c),
    "AUC": lambda a, b, y, **c: auc_interval(a[0], y, **c),
    "perfect AUC": lambda a, b, y, **c: auc_interval(a[0] + 9 * y, y, **c),
    "AUC of two models": lambda a, b, y, **c: auc_difference(a[0], b[0], y, **c)[0],
    "AUC of groups": lambda a, b, y, **c: auc_group_difference(a, b, y, **c)[0],
    "AUC of runs": lambda a, b, y, **c: auc_group_interval(a, y, **c),
}


@pytest.mark.parametrize("name", ESTIMATES)
def test_copies_of_images_add_nothing(rows, name):
    """50 copies of each image, named as clusters, have the interval of the images."""
    estimate, once = ESTIMATES[name], limits(ESTIMATES[name](*rows))
    copies = [np.repeat(x, 50, axis=-1) for x in rows]
    named = estimate(*copies, clusters=np.repeat(np.arange(60), 50))
    np.testing.assert_allclose(limits(named), once, atol=0.1 * (once[2] - once[1]))
    assert (named.n, named.clusters) == (3000, 60)
    if "runs" not in name and "groups" not in name:  # else the error is mostly that of the runs
        as_images = limits(estimate(*copies))
        assert as_images[2] - as_images[1] < 0.2 * (once[2] - once[1])


@pytest.mark.parametrize("estimate", ESTIMATES.values(), ids=ESTIMATES)
def test_clusters_of_one_image_change_nothing(rows, estimate):
    assert estimate(*rows, clusters=np.arange(60)[::-1]) == estimate(*rows)


@pytest.mark.parametrize("estimate", ESTIMATES.values(), ids=ESTIMATES)
def test_one_cluster_has_no_limits(rows, estimate):
    interval = estimate(*rows, clusters=np.zeros(60))
    assert np.isnan([interval.low, interval.high]).all()
    assert np.isfinite(interval.value)
    assert interval.clusters == 1


@pytest.mark.parametrize("estimate", ESTIMATES.values(), ids=ESTIMATES)
def test_names_and_order_of_clusters_do_not_matter(rows, estimate):
    code = np.random.default_rng(1).integers(0, 12, 60)
    order = np.random.default_rng(2).permutation(60)
    names = [f"video {c}" for c in code[order]]
    shuffled = estimate(*(x[..., order] for x in rows), clusters=names)
    expected = limits(estimate(*rows, clusters=code))
    np.testing.assert_allclose(limits(shuffled), expected, rtol=1e-9, atol=1e-12)


def test_images_without_a_cluster_are_by_themselves():
    codes = cluster_codes(["a", None, "b", None, "a", "", float("nan")], 7)
    assert codes is not None
    assert codes.tolist() == [0, 1, 2, 3, 0, 4, 5]
    assert cluster_codes([None, "a", None], 3) is None  # independent images
    assert cluster_codes(np.arange(5), 5) is None
    with pytest.raises(InputError, match=r"clusters of shape \(2,\) for 3 images: give one"):
        mean_interval([1.0, 2.0, 3.0], clusters=[0, 1])


def test_values_that_are_left_out_leave_their_clusters_out():
    x, code = np.array([1.0, 2.0, 4.0, np.nan, np.inf]), np.array([0, 0, 1, 1, 2])
    interval, expected = mean_interval(x, clusters=code), mean_interval(x[:3], clusters=code[:3])
    assert limits(interval) == limits(expected)
    assert (interval.n, interval.undefined, interval.clusters) == (3, 2, 2)


def test_clusters_of_one_size_have_students_interval_of_their_means():
    x, code = clustered(np.random.default_rng(3), [7] * 9, 0.4)
    expected = mean_interval(x.reshape(9, 7).mean(1))
    np.testing.assert_allclose(limits(mean_interval(x, clusters=code)), limits(expected))


def test_variance_of_an_area_is_that_of_obuchowski():
    """Placement values summed by cluster, the classes across all clusters of one size."""
    rng, clusters, each = np.random.default_rng(4), 12, 6
    v10, v01 = rng.normal(size=(2, clusters, each))
    v10, v01 = v10 - v10.mean(), v01 - v01.mean()
    sums = np.stack([v10.sum(1), v01.sum(1)]) / (clusters * each)
    s10, s01 = clusters / (clusters - 1) * (sums**2).sum(1)
    s11 = clusters / (clusters - 1) * (sums[0] * sums[1]).sum()
    strata = np.repeat([0, 1], clusters * each)
    code = np.tile(np.repeat(np.arange(clusters), each), 2)
    errors = np.concatenate([v10.ravel(), v01.ravel()]) / (clusters * each)
    design = ClusterDesign.of(len(code), code, strata)
    assert design.variance(errors) == pytest.approx(s10 + s01 + 2 * s11)


def test_degrees_of_freedom():
    rng = np.random.default_rng(5)
    x, code = clustered(rng, [50] * 20, 0.5)
    assert ClusterDesign.of(1000, code).freedom(x - x.mean()) == pytest.approx(19)
    assert ClusterDesign.of(60).freedom(rng.normal(size=60)) == pytest.approx(59)
    strata = np.arange(60) % 2
    assert ClusterDesign.of(60, None, strata).freedom(
        (lambda v: np.where(strata == 1, v - v[1::2].mean(), v - v[::2].mean()))(
            np.tile(rng.normal(size=30), (2, 1)).T.ravel()
        )
    ) == pytest.approx(58)
    uneven, code = clustered(rng, UNEQUAL, 0.5)
    assert 2 < ClusterDesign.of(len(code), code).freedom(uneven - uneven.mean()) < 6


REPETITIONS = 400
SIZES = {"20 of 50": [50] * 20, "10 of 50": [50] * 10, "20 unequal": UNEQUAL}
LEAST = 0.93 - 2 * np.sqrt(0.93 * 0.07 / REPETITIONS)  # two standard errors of the simulation


@pytest.mark.slow
@pytest.mark.parametrize("icc", [0, 0.5])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_intervals_of_one_model_cover(sizes, icc, coverage):
    rng, means, shares, areas, without = np.random.default_rng(6), [], [], [], []
    for _ in range(REPETITIONS):
        x, code = clustered(rng, sizes, icc)
        y = rng.integers(0, 2, len(x)) if len(means) % 2 else code % 2
        means.append(mean_interval(x, clusters=code))
        shares.append(share_interval(x < 0.8416, clusters=code))
        areas.append(auc_interval(x + y, y, clusters=code))
        without.append(mean_interval(x))
    assert coverage(means, 0) >= LEAST
    assert coverage(shares, 0.8) >= LEAST
    assert coverage(areas, 0.7602) >= LEAST
    assert coverage(without, 0) < 0.4 or not icc  # negative control
    if not icc and sizes is not UNEQUAL:
        widths = [np.median([i.high - i.low for i in each]) for each in (means, without)]
        assert widths[0] < 1.2 * widths[1]


@pytest.mark.slow
@pytest.mark.parametrize("runs", [1, 5])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_paired_differences_cover(sizes, runs, coverage):
    """Two models, and two groups of runs, with effects of image and cluster of their own."""
    rng, means, areas, p, without = np.random.default_rng(7), [], [], [], []
    for _ in range(REPETITIONS):
        (first, second, shared), code = clustered(rng, sizes, 0.5, (3,))
        y = rng.integers(0, 2, len(code))
        a, b = (
            x + shared + 1.5 * y + 0.5 * rng.normal(size=(runs, len(y))) for x in (first, second)
        )
        means.append(bootstrap_difference(a, b, clusters=code, draws=300))
        area, value = auc_group_difference(a, b, y, clusters=code)
        areas.append(area)
        p.append(value)
        without.append(auc_difference(a, b, y)[1])
    assert coverage(means, 0) >= LEAST
    assert coverage(areas, 0) >= LEAST
    assert np.mean(np.array(p) <= 0.05) <= 1 - LEAST
    assert np.mean(np.array(without) <= 0.05) > 0.1  # negative control


# Functions of `salix.stats` whose samples are not images, or that estimate without an interval.
NOT_OF_IMAGES = {
    "kendall_tau",  # two rankings
    "kendall_w",  # rankings
    "rank_correlation",
    "rank_methods",
    "unit_count",  # counts them
    "cliffs_delta",  # runs
    "hedges_g",  # runs
    "permutation_test",  # runs
    "max_t",  # runs
    "minimum_p",
    "least_p",
    "holm",
    "benjamini_hochberg",
    "correct_family",
    "student_p",
    "p_of_both",  # takes the contributions of images
    "difference_interval",  # of two intervals
    "mean_of_intervals",
    "proportion_interval",  # independent trials: `share_interval` takes clusters
    "detection_rate",  # no interval
    "minimum_acer",  # no interval
    "mean_difference",  # of `Sample`s, which have clusters
    "cluster_codes",
    "cluster_count",
    "design_effect",  # of sizes of clusters
    "video_scores",  # of clusters, which it needs
    "roc_points",  # no interval
    "drawn_points",
    "det_coordinates",  # of rates
}


def test_every_function_of_images_takes_clusters():
    functions = {n: f for n in stats.__all__ if inspect.isfunction(f := getattr(stats, n))}
    without = {n for n, f in functions.items() if "clusters" not in inspect.signature(f).parameters}
    assert without <= NOT_OF_IMAGES
    for name in functions.keys() - without - NOT_OF_IMAGES:
        parameter = inspect.signature(functions[name]).parameters["clusters"]
        assert (parameter.kind, parameter.default) == (inspect.Parameter.KEYWORD_ONLY, None)


SHIFTS = {
    "difference": lambda a, b: mean_difference(a, b),
    "AUC": lambda a, b: DistributionShift.of(a, b).auc(),
    "Kolmogorov-Smirnov": lambda a, b: DistributionShift.of(a, b).kolmogorov(),
    "Wasserstein": lambda a, b: DistributionShift.of(a, b).wasserstein(),
}


@pytest.mark.slow
@pytest.mark.parametrize("across", [False, True], ids=["within", "across"])
@pytest.mark.parametrize("name", SHIFTS)
def test_shifts_between_subsets_cover(name, across):
    """Two equal subsets of 20 clusters of 50 in all: the null is rejected at most about 5 %."""
    rng, truth = np.random.default_rng(8), 0.5 if name == "AUC" else 0.0
    rejected, without = [], []
    for _ in range(200):
        x, code = clustered(rng, [50] * 20, 0.5)
        first = np.arange(1000) % 2 == 0 if across else code % 2 == 0
        pair = [(x[of], code[of]) for of in (first, ~first)]
        shift = SHIFTS[name](*(Sample.of(v, clusters=c) for v, c in pair))
        rejected.append(shift.low > truth or shift.high < truth)
        shift = SHIFTS[name](*(v for v, _ in pair))
        without.append(shift.low > truth or shift.high < truth)
    assert np.mean(rejected) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)
    assert across or np.mean(without) > 0.3  # negative control


def test_mean_maps_of_clusters():
    """Maps of 8 pixels with effects of clusters: the distance of two equal means is not above 0."""
    rng, rejected, without = np.random.default_rng(9), [], []
    for _ in range(100):
        maps, code = clustered(rng, [50] * 20, 0.5, (8,))
        maps, first = maps.T, code % 2 == 0
        of = [MeanMap.of(maps[f], clusters=code[f]) for f in (first, ~first)]
        shift = MeanMapShift.of(*of).distance()
        assert shift.clusters == 20
        rejected.append(shift.low > 0)
        without.append(MeanMapShift.of(*(MeanMap.of(maps[f]) for f in (first, ~first))))
    assert np.mean(rejected) <= 0.1
    assert np.mean([s.distance().low > 0 for s in without]) > 0.5  # negative control


def test_mean_maps_merge_their_clusters():
    maps, code = np.random.default_rng(10).normal(size=(60, 3, 3)), np.arange(60) // 7
    whole = MeanMap.of(maps, clusters=code)
    parts = MeanMap.of(maps[:25], clusters=code[:25]).merge(
        MeanMap.of(maps[25:], clusters=code[25:])
    )
    np.testing.assert_allclose(parts.sums, whole.sums)
    np.testing.assert_array_equal(parts.counts, whole.counts)
    np.testing.assert_allclose(whole.mean, maps.mean(0))
    alone = MeanMap.of(maps, clusters=np.zeros(60, int))
    assert np.isnan(MeanMapShift.of(alone, whole).distance().low)


def test_samples_keep_their_clusters():
    x, code = np.array([3.0, np.nan, 1.0, 2.0]), np.array([7, 7, 5, 7])
    sample = Sample.of(x, clusters=code)
    assert sample.values.tolist() == [1, 2, 3]
    assert sample.clusters is not None
    assert sample.clusters.tolist() == [5, 7, 7]
    merged = sample.merge(Sample.of([0.0, 9.0], clusters=[5, 1]))
    assert merged.clusters is not None
    assert merged.clusters.tolist() == [5, 5, 7, 7, 1]
    assert Sample.empty().merge(sample).clusters is not None
    assert limits(sample.mean) == limits(mean_interval(x, clusters=code))
    with pytest.raises(InputError, match="give one each"):
        Sample.of(x, clusters=[1])
