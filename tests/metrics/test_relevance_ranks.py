"""Localisation by ranks, positive mass and mosaics, beside scikit-learn and NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import roc_auc_score

from salix import metrics
from salix.metrics import mosaic
from salix.typing import InputError

top_k = jax.jit(metrics.top_k_intersection, static_argnames="k")  # one compilation a shape
rank, auc, focus = map(jax.jit, (metrics.relevance_rank, metrics.localisation_auc, metrics.focus))
inside_total = jax.jit(metrics.attribution_localisation, static_argnames="largest")
shape = st.shared(st.sampled_from([(9,), (4, 5), (3, 4, 2)]))
# Few values, so that pixels often tie.
maps = hnp.arrays(np.int8, shape, elements=st.integers(-8, 8)).filter(np.any)
masks = hnp.arrays(np.bool_, shape).filter(lambda m: m.any() and not m.all())
rng = np.random.default_rng(0)


def expected_hits(map, mask, k):
    """Hits of the k strongest pixels, the mean over all orders of those that tie."""
    a, g = np.abs(map.astype(float)).ravel(), mask.ravel()
    hits, left = 0.0, k
    for value in sorted(set(a), reverse=True):
        tied = a == value
        places = min(left, tied.sum())
        hits += places * (tied & g).sum() / tied.sum()
        left -= places
    return hits


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(maps, masks, st.integers(1, 9))
def test_ranks_equal_slow_counts_and_see_no_sign_or_scale(map, mask, k):
    map = map.astype(np.float32)
    size = int(mask.sum())
    assert float(top_k(map, mask, k=k)) == pytest.approx(expected_hits(map, mask, k) / k, abs=1e-6)
    value = float(rank(map, mask))
    assert value == pytest.approx(expected_hits(map, mask, size) / size, abs=1e-6)
    u = float(jax.jit(metrics.iou, static_argnames="threshold")(map, mask, threshold=None))
    assert value == pytest.approx(2 * u / (1 + u), abs=1e-6)
    for factor in (np.float32(-1), np.float32(2.0**100)):
        assert float(rank(factor * map, mask)) == value
        assert float(top_k(factor * map, mask, k=k)) == float(top_k(map, mask, k=k))


@settings(deadline=None, max_examples=25)
@given(maps, masks)
def test_auc_is_that_of_scikit_learn(map, mask):
    map = map.astype(np.float32)
    value = float(auc(map, mask))
    assert value == pytest.approx(roc_auc_score(mask.ravel(), map.ravel()), abs=1e-6)
    assert float(auc(-map, mask)) == pytest.approx(1 - value, abs=1e-6)
    assert float(auc(map, ~mask)) == pytest.approx(1 - value, abs=1e-6)
    assert float(auc(np.float32(2.0**90) * map, mask)) == value


def test_auc_of_large_maps_is_exact_to_six_digits():
    map = rng.normal(size=(224, 224)).astype(np.float32)
    for size in (1, 3000, 50000):
        mask = np.zeros(224 * 224, bool)
        mask[rng.choice(mask.size, size, replace=False)] = True
        mask = mask.reshape(224, 224)
        assert float(auc(map, mask)) == pytest.approx(
            roc_auc_score(mask.ravel(), map.ravel()), abs=2e-6
        )


@settings(deadline=None, max_examples=25)
@given(maps.filter(lambda m: m.max() > 0), masks)
def test_positive_mass_equals_numpy(map, mask):
    positive = np.maximum(map.astype(float), 0)
    expected = positive[mask].sum() / positive.sum()
    for metric in (focus, inside_total):
        assert float(metric(map.astype(np.float32), mask)) == pytest.approx(expected, abs=1e-6)
        assert float(metric(np.float32(1e30) * map.astype(np.float32), mask)) == pytest.approx(
            expected, abs=1e-6
        )
    halves = np.where(mask, np.float32(0.5), np.float32(0))  # a share of each pixel
    assert float(inside_total(map.astype(np.float32), halves)) == pytest.approx(
        expected / 2, abs=1e-6
    )


def test_masks_above_the_largest_are_undefined():
    map = rng.uniform(size=(4, 5)).astype(np.float32)
    mask = np.zeros((4, 5), bool)
    mask[:2] = True  # half of the pixels
    assert np.isfinite(inside_total(map, mask, largest=0.5))
    assert np.isnan(inside_total(map, mask, largest=0.49))


def test_shares_of_pixels_are_rounded_and_at_least_one():
    map, mask = np.arange(20, dtype=np.float32).reshape(4, 5), np.zeros((4, 5), bool)
    mask[3, 4] = mask[3, 2] = True  # the strongest and the third
    assert [round(float(top_k(map, mask, k=k)), 6) for k in (0.01, 0.05, 0.1, 0.15)] == [
        1,
        1,
        0.5,
        0.666667,
    ]
    assert float(top_k(map, mask, k=20)) == float(top_k(map, mask, k=1.0)) == pytest.approx(0.1)
    assert round(0.02 * 224 * 224) == 1004


@pytest.mark.slow
def test_uniform_maps_are_at_chance():
    map, mask = np.full((10, 10), 0.3, np.float32), np.zeros((10, 10), bool)
    mask[:3] = True
    for metric in (top_k, rank, focus, inside_total):
        assert float(metric(map, mask)) == pytest.approx(0.3)
    assert float(auc(map, mask)) == 0.5


def test_undefined_is_nan():
    map, mask = np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32)
    for metric in (top_k, rank, auc, focus, inside_total):
        assert float(metric(map, mask)) == 1
        assert np.isnan(metric(0 * map, mask))
        assert np.isnan(metric(map, 0 * mask))
        for bad in (-0.5, 1.5, np.nan):
            assert np.isnan(metric(map, np.where(mask > 0, mask, np.float32(bad))))
        for worst in (np.inf, -np.inf, np.nan):
            assert np.isnan(metric(np.where(map > 0, map, np.float32(worst)), mask))
    assert np.isnan(auc(map, np.ones((4, 4), bool)))
    for metric in (focus, inside_total):
        assert np.isnan(metric(-map, mask))


def test_mosaics():
    images = rng.uniform(size=(4, 2, 3, 1)).astype(np.float32)
    joined, cells = mosaic(images, np.array([True, False, False, True]))
    np.testing.assert_array_equal(joined[:2, 3:], images[1])
    np.testing.assert_array_equal(joined[2:, :3], images[2])
    flags = np.kron([[1, 0], [0, 1]], np.ones((2, 3))).astype(np.float32)
    np.testing.assert_array_equal(cells, flags.astype(bool))
    # A model that sees one class: the relevance of a linear score is in its cells.
    assert float(focus(joined[..., 0] * flags, cells)) == 1
    expected = images[[0, 3]].sum() / images.sum()
    assert float(focus(joined[..., 0], cells)) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.slow
def test_gradients_and_batches():
    batch = rng.normal(size=(5, 6, 7)).astype(np.float32)
    regions = rng.uniform(size=(5, 6, 7)) < 0.4
    for metric in (top_k, rank, auc):
        assert not np.asarray(jax.grad(lambda m, f=metric: f(m, regions[0]))(batch[0])).any()
    gradient = np.asarray(jax.grad(lambda m: inside_total(m, regions[0]))(batch[0]))
    assert np.isfinite(gradient).all()
    assert np.abs(gradient[batch[0] > 0]).min() > 0


def test_unusable_input():
    map = jnp.ones((3, 3))
    for metric in (
        metrics.top_k_intersection, metrics.relevance_rank, metrics.localisation_auc,
        metrics.focus, metrics.attribution_localisation,
    ):  # fmt: skip
        with pytest.raises(InputError, match=r"\(3, 3\).*\(6, 6\)"):
            metric(map, np.ones((6, 6), bool))
    with pytest.raises(InputError, match=r"k is 1000, and the map has 9 pixels: .*k=0.02"):
        metrics.top_k_intersection(map, map > 0, k=1000)
    for k in (0, -1, 1.5, 0.0, float("nan"), True):
        with pytest.raises(InputError, match=r"k is .*a number of pixels"):
            metrics.top_k_intersection(map, map > 0, k=k)
    with pytest.raises(InputError, match=r"largest is 0: .*\(0, 1\]"):
        metrics.attribution_localisation(map, map > 0, largest=0)
    with pytest.raises(InputError, match=r"\(3, 2, 2, 1\).*\(3,\): give two"):
        mosaic(np.zeros((3, 2, 2, 1), np.float32), np.zeros(3, bool))
