"""Two collections apart: against SciPy and closed forms, and how often limits hold the truth."""

import numpy as np
import pytest
from scipy import stats
from threadpoolctl import threadpool_limits

from salix.stats import (
    DistributionShift,
    Interval,
    MeanMap,
    MeanMapShift,
    Sample,
    auc_interval,
    mean_difference,
    mean_interval,
    mean_of_intervals,
)
from salix.stats.mean_map import BATCHES
from salix.typing import InputError

RNG = np.random.default_rng


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Thousands of small products: threads would wait for each other most of the time."""
    with threadpool_limits(1):
        yield


def limits(interval):
    return interval.low, interval.high


def holds(found, truth):
    return np.mean([i.low <= truth <= i.high for i in found])


def test_difference_of_means_is_welchs():
    a, b = RNG(0).normal(0.3, 1, 30), RNG(1).normal(0, 3, 12)
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    found = mean_difference(a, b, level=0.9)
    assert found.value == pytest.approx(a.mean() - b.mean())
    assert limits(found) == pytest.approx((expected.low, expected.high), rel=1e-9)
    opposite = mean_difference(b, a, level=0.9)
    assert (-opposite.high, -opposite.low) == pytest.approx(limits(found))
    gaps = mean_difference([*a, np.nan], [*b, np.inf, np.nan], level=0.9)
    assert (gaps.n, gaps.undefined, gaps.value) == (42, 3, pytest.approx(found.value))


def test_little_is_not_guessed():
    assert np.isnan(mean_difference([], [1.0]).value)
    alone = mean_difference([2.0], [1.0, 2.0])
    assert alone.value == 0.5
    assert np.isnan(limits(alone)).all()
    assert limits(mean_difference([2.0, 2.0], [1.0, 1.0])) == (1, 1)
    for pair in (
        DistributionShift.of([], [1.0]),
        DistributionShift.of([np.nan], [np.inf]),
        DistributionShift.of([1.0], []),
    ):
        for found in (pair.auc(), pair.kolmogorov(), pair.wasserstein()):
            assert np.isnan([found.value, *limits(found)]).all()
    with pytest.raises(InputError, match=r"shape \(2, 2\): give one number per image"):
        mean_difference(np.zeros((2, 2)), [1.0])


@pytest.mark.parametrize("decimals", [6, 1, 0])
@pytest.mark.parametrize(("m", "n"), [(40, 25), (300, 900), (2, 3)])
def test_pair_against_scipy(m, n, decimals):
    a = np.round(RNG(2).normal(0.5, 1, m), decimals)
    b = np.round(RNG(3).normal(0, 2, n), decimals)
    pair = DistributionShift.of([*a, np.nan], b)
    area = auc_interval(np.concatenate([a, b]), np.repeat([1, 0], [m, n]), level=0.9)
    found = pair.auc(level=0.9)
    assert (found.value, *limits(found)) == pytest.approx((area.value, *limits(area)), rel=1e-9)
    assert (found.n, found.undefined) == (m + n, 1)
    assert pair.kolmogorov().value == pytest.approx(stats.ks_2samp(a, b).statistic, rel=1e-12)
    expected = stats.wasserstein_distance(a, b)
    assert pair.wasserstein().value == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_samples_that_do_not_overlap():
    pair = DistributionShift.of([3.0, 4.0, 5.0], [0.0, 1.0])
    area = auc_interval([3, 4, 5, 0, 1], [1, 1, 1, 0, 0])
    assert (pair.auc().value, *limits(pair.auc())) == (1, *limits(area))
    swapped = DistributionShift.of([0.0, 1.0], [3.0, 4.0, 5.0])
    assert (swapped.auc().value, swapped.auc().low) == (0, 0)
    assert pair.kolmogorov().value == pair.kolmogorov().high == 1
    assert pair.wasserstein().value == pytest.approx(3.5)
    assert np.isnan(DistributionShift.of([1.0], [0.0, 2.0]).auc().low)
    same = DistributionShift.of([1.0, 1.0], [1.0, 1.0])
    assert (same.wasserstein().value, *limits(same.wasserstein())) == (0, 0, 0)


def test_laws_of_distances():
    a, b = RNG(4).normal(size=50), RNG(5).gamma(2, size=70)
    one, two = DistributionShift.of(a, b), DistributionShift.of(b, a)
    scaled = DistributionShift.of(10 * a - 3, 10 * b - 3)
    for name in ("kolmogorov", "wasserstein"):
        x, y = (getattr(p, name)() for p in (one, two))
        assert (x.value, *limits(x)) == pytest.approx((y.value, *limits(y)), rel=0.05)
    assert scaled.kolmogorov().value == pytest.approx(one.kolmogorov().value)
    assert scaled.wasserstein().value == pytest.approx(10 * one.wasserstein().value)
    assert scaled.wasserstein().low == pytest.approx(10 * one.wasserstein().low)
    assert two.auc().value == pytest.approx(1 - one.auc().value)


def test_kolmogorov_leaves_out_zero_where_the_test_rejects():
    for seed in range(20):
        a, b = RNG(seed).normal(0.25, 1, 100), RNG(100 + seed).normal(size=150)
        found = DistributionShift.of(a, b).kolmogorov()
        p = stats.kstwobign.sf(found.value * np.sqrt(100 * 150 / 250))
        assert (found.low > 0) == (p < 0.05)


def test_samples_merge_in_any_order():
    a, b, c = (Sample.of(np.round([*RNG(s).normal(size=9), np.nan], 1)) for s in range(3))
    whole = a.merge(b).merge(c)
    other = c.merge(a.merge(b))
    np.testing.assert_array_equal(whole.values, other.values)
    assert whole.undefined == other.undefined == 3
    expected = mean_interval([*a.values, *b.values, *c.values, np.nan, np.nan, np.nan])
    assert whole.mean.value == pytest.approx(expected.value)
    assert limits(whole.mean) == pytest.approx(limits(expected))
    assert (whole.mean.n, whole.mean.undefined) == (expected.n, 3)


@pytest.mark.parametrize(("m", "n"), [(60, 60), (40, 400)])
@pytest.mark.parametrize("draw", ["normal", "exponential", "beta"])
def test_no_shift_is_found_at_the_nominal_rate(m, n, draw):
    rng = RNG((6, m, n))
    options = {"beta": (8, 2)}.get(draw, ())
    pairs = [
        (getattr(rng, draw)(*options, size=m), getattr(rng, draw)(*options, size=n))
        for _ in range(400)
    ]
    least = 0.9 if draw == "exponential" else 0.92  # skewness 2 and 40 values: 0.93 in truth
    assert least <= holds([mean_difference(*p) for p in pairs], 0) <= 0.98
    merged = [DistributionShift.of(*p) for p in pairs]
    assert 0.92 <= holds([p.auc() for p in merged], 0.5) <= 0.98
    assert 0.93 <= holds([p.kolmogorov() for p in merged], 0) <= 0.99
    assert least <= holds([p.wasserstein() for p in merged], 0) <= 0.99


@pytest.mark.parametrize(("shift", "m", "n"), [(0.4, 80, 300), (1, 300, 80), (3, 100, 100)])
def test_planted_shift_is_recovered(shift, m, n):
    rng = RNG((7, m))
    pairs = [(rng.normal(shift, 1, m), rng.normal(size=n)) for _ in range(400)]
    assert 0.92 <= holds([mean_difference(*p) for p in pairs], shift) <= 0.98
    merged = [DistributionShift.of(*p) for p in pairs]
    truth = {
        "auc": stats.norm.cdf(shift / np.sqrt(2)),
        "kolmogorov": 2 * stats.norm.cdf(shift / 2) - 1,
        "wasserstein": shift,
    }
    for name, expected in truth.items():
        found = [getattr(p, name)() for p in merged]
        assert holds(found, expected) >= 0.925
        # a small distance is found too large, as the module says
        assert np.mean([i.value for i in found]) == pytest.approx(expected, rel=0.35, abs=0.02)
    assert np.mean([p.wasserstein().low > 0 for p in merged]) > 0.6


def runs_of(rng, shift, runs, images, of_run=1.0):
    """Differences of each run over images that all runs find as hard: (value, limits) a run."""
    a, b = rng.normal(shift, 1, (1, images)), rng.normal(size=(1, images))
    a = a + 0.5 * rng.normal(size=(runs, images))
    b = b + 0.5 * rng.normal(size=(runs, images))
    own = of_run * np.sqrt(2 / images) * rng.normal(size=(runs, 1))
    return [mean_difference(x + o, y) for x, y, o in zip(a, b, own, strict=True)]


@pytest.mark.parametrize(("runs", "of_run"), [(3, 0), (5, 1), (10, 3)])
def test_runs_that_share_their_images(runs, of_run):
    rng = RNG((8, runs))
    found = [runs_of(rng, 0.5, runs, 60, of_run) for _ in range(500)]
    assert 0.94 <= holds([mean_of_intervals(f) for f in found], 0.5) <= 0.995
    alone = [mean_interval([i.value for i in f]) for f in found]
    if of_run < 3:  # the control: Student's over runs takes the images as given
        assert holds(alone, 0.5) < 0.85


def test_over_runs_of_known_numbers():
    found = mean_of_intervals([Interval(1, 0.8, 1.3, 10), Interval(3, 2.6, 3.3, 10)])
    half = stats.t.ppf(0.975, 1)
    assert (found.value, found.n) == (2, 2)
    expected = (2 - np.hypot(half, 0.3), 2 + np.hypot(half, 0.3))
    assert limits(found) == pytest.approx(expected)
    nothing = Interval(np.nan, np.nan, np.nan, 0)
    assert mean_of_intervals([nothing, Interval(1, 0.8, 1.3, 10)]) == Interval(1, 0.8, 1.3, 10)
    assert np.isnan(mean_of_intervals([nothing]).value)
    assert np.isnan(mean_of_intervals([]).value)
    unlimited = mean_of_intervals([Interval(1, 0.8, 1.3, 10), Interval(2, np.nan, np.nan, 1)])
    assert unlimited.value == 1.5
    assert np.isnan(unlimited.low)


def test_mean_maps_are_means_and_merge():
    x = RNG(9).integers(0, 256, (137, 4, 5)).astype(np.uint8)
    whole = MeanMap.of(x)
    np.testing.assert_allclose(whole.mean, x.mean(0) / 255)
    assert whole.n == 137
    joined = MeanMap.of(x[:20]).merge(MeanMap.of(x[20:]))
    np.testing.assert_allclose(joined.mean, whole.mean)
    np.testing.assert_allclose(MeanMap.of(x / 255).mean, whole.mean)
    nothing = MeanMap.of(x[:0])
    assert np.isnan(nothing.mean).all()
    np.testing.assert_array_equal(nothing.merge(whole).sums, whole.sums)


@pytest.mark.parametrize("n", [30, 50, 1234])
def test_noise_of_a_mean_map_is_its_standard_error(n):
    x = RNG(10).normal(size=(n, 6, 6)) * np.linspace(0.5, 2, 36).reshape(6, 6)
    noise = MeanMap.of(x + 5).noise(0)  # what all maps have in common is no noise
    expected = np.linspace(0.5, 2, 36) / np.sqrt(n)
    assert noise.shape == (400, 36)
    assert (noise.std(0) / expected).mean() == pytest.approx(1, abs=0.06)
    assert len(np.unique(MeanMap.of(x).counts)) == (1 if n == BATCHES else 2)


def test_large_grids_have_the_same_limits():
    """The noise is drawn in some cells; smooth maps of one kind on a large and a small grid."""
    small = RNG(11).random((2, 200, 8, 8))
    large = small.repeat(8, 2).repeat(8, 3)
    one, two = (MeanMapShift.of(*(MeanMap.of(m) for m in x)).distance() for x in (small, large))
    assert two.value == pytest.approx(one.value)
    assert two.high == pytest.approx(one.high, rel=0.05)


def test_maps_against_scipy():
    a, b = RNG(12).random((80, 5, 5)), RNG(13).random((60, 5, 5)) * np.linspace(0, 1, 5)
    pair = MeanMapShift.of(MeanMap.of(a), MeanMap.of(b))
    assert pair.distance().value == pytest.approx(np.abs(a.mean(0) - b.mean(0)).mean())
    expected = stats.pearsonr(a.mean(0).ravel(), b.mean(0).ravel()).statistic
    found = pair.correlation()
    assert found.value == pytest.approx(expected, rel=1e-9)
    assert -1 <= found.low < found.value < found.high <= 1
    flat = MeanMapShift.of(MeanMap.of(a), MeanMap.of(np.ones((9, 5, 5))))
    assert np.isnan(flat.correlation().value)
    alone = MeanMapShift.of(MeanMap.of(a), MeanMap.of(b[:1])).distance()
    assert np.isfinite(alone.value)
    assert np.isnan(alone.low)
    assert np.isnan(MeanMapShift.of(MeanMap.of(a), MeanMap.of(b[:0])).distance().value)
    with pytest.raises(InputError, match=r"grids of \(5, 5\) and \(4, 4\)"):
        MeanMapShift.of(MeanMap.of(a), MeanMap.of(np.zeros((3, 4, 4))))
    with pytest.raises(InputError, match=r"shape \(3,\)"):
        MeanMap.of(np.zeros(3))


@pytest.mark.parametrize(("m", "n"), [(300, 300), (40, 700)])
@pytest.mark.parametrize("far", [0.0, 0.3])
def test_map_limits_hold_the_truth(m, n, far):
    """Maps with noise that neighbours share, moved by `far` up in one half, down in the other."""
    rng, moved = RNG((14, m)), far * np.repeat([1.0, -1.0], [8, 8]).reshape(4, 4)
    mix = rng.random((16, 16)) / 4
    found = []
    for _ in range(300):
        a, b = ((rng.normal(size=(k, 16)) @ mix).reshape(k, 4, 4) for k in (m, n))
        found.append(MeanMapShift.of(MeanMap.of(a + moved), MeanMap.of(b)))
    distances = [p.distance() for p in found]
    assert holds(distances, far) >= 0.92
    if far:
        assert np.mean([i.low > 0 for i in distances]) > 0.9
    else:
        assert holds(distances, 0) <= 0.985


def test_correlation_of_mean_maps_covers():
    rng = RNG(15)
    one, two = rng.random((2, 6, 6))
    truth = stats.pearsonr(one.ravel(), two.ravel()).statistic
    found = []
    for _ in range(300):
        a, b = (t + 0.5 * rng.normal(size=(400, 6, 6)) for t in (one, two))
        found.append(MeanMapShift.of(MeanMap.of(a), MeanMap.of(b)).correlation())
    assert 0.92 <= holds(found, truth) <= 0.98
