"""Intersection over union and the pointing game."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from salix.metrics import localisation
from salix.typing import InputError

iou = jax.jit(localisation.iou, static_argnames="threshold")  # one compilation a shape
pointing_game = jax.jit(localisation.pointing_game)
shape = st.shared(st.sampled_from([(9,), (4, 5), (3, 4, 2)]))
# Few values, so that pixels often tie; eighths, so that thresholds fall on some of them exactly.
maps = hnp.arrays(np.int8, shape, elements=st.integers(-8, 8)).filter(np.any)
masks = hnp.arrays(np.bool_, shape).filter(np.any)


def slow_iou(map, mask, threshold):
    a, g = np.abs(map.astype(float)).ravel(), mask.ravel()
    if threshold is not None:
        b = a >= threshold * a.max()
        return Fraction(int((b & g).sum()), int((b | g).sum()))
    # the k strongest, each group of equal pixels sharing the places that are left for it
    k, hits, left = int(g.sum()), Fraction(0), int(g.sum())
    for value in sorted(set(a), reverse=True):
        tied = a == value
        places = min(left, int(tied.sum()))
        hits += Fraction(places * int((tied & g).sum()), int(tied.sum()))
        left -= places
    return hits / (2 * k - hits)


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(maps, masks, st.sampled_from([None, 0.125, 0.5, 0.75, 1.0]))
def test_iou_equals_a_slow_count_and_sees_neither_sign_nor_scale(map, mask, threshold):
    map = map.astype(np.float32)
    value = float(iou(map, mask, threshold=threshold))
    assert value == pytest.approx(float(slow_iou(map, mask, threshold)), abs=1e-6)
    for factor in (np.float32(-1), np.float32(2.0**100)):
        assert float(iou(factor * map, mask, threshold=threshold)) == value
    for other in (mask.astype(np.float32), 255 * mask.astype(np.uint8)):
        assert float(iou(map, other, threshold=threshold)) == value
    order = np.random.default_rng(0).permutation(map.size)
    moved = [a.ravel()[order].reshape(a.shape) for a in (map, mask)]
    assert float(iou(*moved, threshold=threshold)) == value


@settings(deadline=None, max_examples=100)
@given(maps, masks)
def test_pointing_equals_a_slow_count(map, mask):
    a = np.abs(map.astype(int)).ravel()
    winners = [i for i in range(a.size) if a[i] == max(a)]
    expected = sum(bool(mask.ravel()[i]) for i in winners) / len(winners)
    result = float(pointing_game(map.astype(np.float32), mask))
    assert result == pytest.approx(expected, abs=1e-6)
    if not mask.all():
        away = float(pointing_game(map.astype(np.float32), ~mask))
        assert result + away == pytest.approx(1, abs=1e-6)


def square(rows, columns, side=250):
    result = np.zeros((side, side), np.float32)
    result[slice(*rows), slice(*columns)] = 1
    return result


ALL = (0, 250)


@pytest.mark.parametrize(
    ("truth", "predicted", "expected"),
    [
        (square((0, 100), (0, 100)), square((50, 150), (50, 150)), 1 / 7),
        (square((100, 250), (200, 250)), square((50, 250), (100, 250)), 0.25),
        (square(ALL, ALL), square((50, 100), (50, 100)), 0.04),
        (square((0, 100), (0, 100)), square((100, 200), (100, 200)), 0),
        (square((3, 9), (5, 200)), square((3, 9), (5, 200)), 1),
    ],
)
def test_published_squares(truth, predicted, expected):
    # Boggust et al. (2022), arXiv:2107.09234: the cases of Shared Interest
    assert float(iou(predicted, truth)) == pytest.approx(expected, abs=1e-6)


def test_by_hand():
    m = np.array([[8, 3], [4, 1]], np.float32)
    mask = np.array([[1, 1], [0, 0]], bool)
    assert float(iou(m, mask)) == pytest.approx(1 / 3)  # 8 and 4 reach a half
    assert float(iou(m, mask, threshold=0.51)) == pytest.approx(1 / 2)
    assert float(iou(m, mask, threshold=0.375)) == pytest.approx(2 / 3)
    assert float(iou(m, mask, threshold=None)) == pytest.approx(
        1 / 3
    )  # 8 and 4 are the two strongest
    assert float(pointing_game(m, mask)) == 1
    assert float(pointing_game(m, ~mask)) == 0
    grey = np.array([[127, 128], [0, 0]], np.uint8)  # a mask begins above one half
    assert float(iou(m, grey, threshold=1.0)) == 0
    assert float(pointing_game(m, 255 - grey)) == 1


def test_a_map_without_preference_scores_the_share_of_the_mask():
    m, mask = np.full((10, 10), 0.3, np.float32), np.zeros((10, 10), bool)
    mask[:3] = True
    assert float(iou(m, mask)) == pytest.approx(0.3)
    assert float(iou(m, mask, threshold=None)) == pytest.approx(0.3 / 1.7)
    assert float(pointing_game(m, mask)) == pytest.approx(0.3)


def test_ties_are_shared_as_random_order_would_on_average():
    rng = np.random.default_rng(0)
    m = rng.integers(0, 3, (6, 6)).astype(np.float32)
    mask = rng.uniform(size=(6, 6)) < 0.4
    k, hits = mask.sum(), []
    for _ in range(4000):
        broken = m + rng.uniform(0, 0.5, m.shape)
        hits.append(mask.ravel()[np.argsort(broken.ravel())[::-1][:k]].sum())
    u = float(iou(m, mask, threshold=None))
    assert 2 * u / (1 + u) == pytest.approx(np.mean(hits) / k, abs=0.01)  # rank accuracy


def test_neighbours_of_the_maximum_do_not_tie_with_it():
    peak = np.float32(49.1)
    for _ in range(20):
        m = np.array([np.nextafter(peak, np.float32(0)), peak], np.float32)
        assert float(pointing_game(m, np.array([False, True]))) == 1
        assert float(iou(m, np.array([False, True]), threshold=1.0)) == 1
        peak = np.nextafter(peak, np.float32(100))


@pytest.mark.parametrize("metric", [iou, lambda m, g: iou(m, g, threshold=None), pointing_game])
def test_undefined_is_nan(metric):
    m, mask = np.ones((3, 3), np.float32), np.eye(3, dtype=np.float32)
    assert np.isfinite(metric(m, mask))
    assert np.isnan(metric(0 * m, mask))
    for empty in (0 * mask, 0.5 * mask, np.zeros((3, 3), np.uint8), np.zeros((3, 3), bool)):
        assert np.isnan(metric(m, empty))
    for bad in (-0.5, 1.5, np.nan):
        assert np.isnan(metric(m, np.where(mask > 0, mask, bad).astype(np.float32)))
    for worst in (np.inf, -np.inf, np.nan):
        m[0, 0] = worst
        assert np.isnan(metric(m, mask))


@pytest.mark.parametrize("metric", [iou, lambda m, g: iou(m, g, threshold=None), pointing_game])
def test_vmap_is_a_loop_and_the_gradient_is_zero(metric):
    rng = np.random.default_rng(0)
    batch = rng.integers(0, 9, (6, 7, 8)).astype(np.float32)
    reference_masks = rng.integers(0, 256, (6, 7, 8)).astype(np.uint8)
    together = jax.vmap(metric)(batch, reference_masks)
    assert together.dtype == jnp.float32
    np.testing.assert_array_equal(
        together, [metric(m, g) for m, g in zip(batch, reference_masks, strict=True)]
    )
    assert not np.asarray(jax.grad(lambda m: metric(m, reference_masks[0]))(batch[0])).any()
    with jax.enable_x64(True):
        double = metric(batch[0].astype(np.float64), reference_masks[0])
        assert double.dtype == jnp.float64
        assert float(double) == pytest.approx(float(together[0]), abs=1e-6)


def test_bad_input_is_refused():
    m, mask = np.ones((3, 3), np.float32), np.ones((6, 6), bool)
    for metric in (localisation.iou, localisation.pointing_game):
        with pytest.raises(InputError, match=r"\(3, 3\).*\(6, 6\)"):
            metric(m, mask)
    for threshold in (0.0, -0.5, 1.5, float("nan")):
        with pytest.raises(InputError, match=rf"threshold is {threshold}.*\(0, 1\]"):
            localisation.iou(m, m > 0, threshold=threshold)
