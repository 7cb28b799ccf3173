"""Stability across runs against scikit-image and SciPy, pair by pair, and its laws."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from skimage.metrics import structural_similarity

from salix.analysis import map_similarity
from salix.analysis.run_stability import cross_stability, stability
from salix.typing import InputError

KINDS = ("ssim", "pearson", "spearman")


def alike(runs, images, grid, noise=60, seed=0):
    """Maps of runs that share what they look at, and differ by noise."""
    rng = np.random.default_rng(seed)
    base = rng.uniform(0, 255, (images, *grid))
    noisy = base + rng.normal(0, noise, (runs, images, *grid))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def one(a, b, kind, window):
    """Similarity of two maps by another library."""
    if kind == "ssim":
        return float(np.asarray(structural_similarity(a, b, win_size=window)))
    of = stats.pearsonr if kind == "pearson" else stats.spearmanr
    return of(a.ravel().astype(float), b.ravel().astype(float)).statistic


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("grid", "window"), [((7, 7), 7), ((8, 8), 7), ((10, 10), 7), ((5, 9), 5), ((4, 4), 3)]
)
def test_every_pair_and_image_agrees_with_another_library(grid, window, kind):
    maps = alike(4, 6, grid)
    maps[:, 0] //= 32  # few grey levels: ties, and a dark map
    result = stability(maps, kind=kind)
    assert result.pairs == tuple(combinations(range(4), 2))
    assert result.values.dtype == np.float32
    expected = [
        [one(a, b, kind, window) for a, b in zip(maps[i], maps[j], strict=True)]
        for i, j in result.pairs
    ]
    np.testing.assert_allclose(result.values, expected, atol=1e-6)
    for (i, j), values in zip(result.pairs, expected, strict=True):
        assert result.mean[i, j] == result.mean[j, i] == pytest.approx(np.mean(values), abs=1e-6)
    assert np.diag(result.mean).tolist() == [1, 1, 1, 1]
    np.testing.assert_allclose(result.per_image, np.mean(expected, axis=0), atol=1e-6)
    assert not result.undefined.any()
    assert not result.constant_map.any()


def test_seven_by_seven_is_the_published_formula():
    a, b = maps = alike(2, 1, (7, 7))[:, 0].astype(float)
    cov = np.cov(*maps.reshape(2, -1))
    expected = (2 * a.mean() * b.mean() + 6.5025) * (2 * cov[0, 1] + 58.5225)
    expected /= (a.mean() ** 2 + b.mean() ** 2 + 6.5025) * (cov[0, 0] + cov[1, 1] + 58.5225)
    result = stability(maps[:, None].astype(np.uint8)).values
    assert float(result[0, 0]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("grid", "window"), [((12, 13), 11), ((20, 19), 19), ((7, 7, 8), 7)])
def test_the_largest_windows_stay_exact(grid, window):
    # only values at the ends of the range: the sums are as large as they can be
    maps = 255 * np.random.default_rng(0).integers(0, 2, (2, 3, *grid)).astype(np.uint8)
    maps[:, 1] = 255
    maps[:, 1, 0] = 0  # all but equal, and bright
    maps[1, 1, 0, :2] = 1
    result = stability(maps, window=window).values[0]
    expected = [one(a, b, "ssim", window) for a, b in zip(*maps, strict=True)]
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_a_window_is_the_largest_odd_one_that_fits():
    maps = alike(2, 3, (6, 9))
    for window in (7, 6, 5, 100):
        np.testing.assert_array_equal(
            stability(maps, window=window).values, stability(maps, window=5).values
        )
    assert (stability(maps, window=3).values != stability(maps, window=5).values).all()


@settings(deadline=None, max_examples=25)
@given(hnp.arrays(np.uint8, (3, 5, 4, 5)), st.sampled_from(KINDS), st.permutations(range(3)))
def test_laws(maps, kind, order):
    result = stability(maps, kind=kind)
    defined = result.values[~np.isnan(result.values)]
    assert ((defined >= -1 - 1e-6) & (defined <= 1)).all()
    same = stability(np.stack([maps[0]] * 3), kind=kind)
    assert (same.values[~np.isnan(same.values)] == 1).all()  # exactly
    constant = maps.reshape(3, 5, -1).min(-1) == maps.reshape(3, 5, -1).max(-1)
    assert result.constant_map.tolist() == constant.sum(axis=1).tolist()
    for p, (i, j) in enumerate(result.pairs):
        np.testing.assert_array_equal(np.isnan(result.values[p]), constant[i] | constant[j])
    permuted = stability(maps[list(order)], kind=kind)
    np.testing.assert_array_equal(permuted.mean, result.mean[np.ix_(order, order)])
    images = [3, 1, 4, 0, 2]
    moved = stability(maps[:, images], kind=kind)
    np.testing.assert_array_equal(moved.values, result.values[:, images])
    np.testing.assert_array_equal(moved.per_image, result.per_image[images])


@pytest.mark.parametrize("kind", KINDS)
def test_an_inverted_map_is_unlike(kind):
    maps = alike(1, 4, (8, 8))
    result = stability(np.concatenate([maps, 255 - maps]), kind=kind).values
    assert (result < -0.9).all()


@pytest.mark.parametrize("kind", KINDS)
def test_constant_map_maps_are_undefined_and_counted(kind):
    maps = alike(3, 5, (7, 7))
    maps[0, 1], maps[1, 1], maps[2, 4] = 0, 255, 7
    maps[:, 2] = 0
    result = stability(maps, kind=kind)
    assert result.pairs == ((0, 1), (0, 2), (1, 2))
    assert np.isnan(result.values).tolist() == [
        [False, True, True, False, False],
        [False, True, True, False, True],
        [False, True, True, False, True],
    ]
    assert result.undefined.tolist() == [2, 3, 3]
    assert result.constant_map.tolist() == [2, 2, 2]
    assert np.isnan(result.per_image).tolist() == [False, True, True, False, False]
    assert result.per_image[4] == result.values[0, 4]
    assert result.mean[0, 2] == pytest.approx(result.values[1, [0, 3]].mean())
    none = stability(np.zeros((2, 3, 7, 7), np.uint8), kind=kind)
    assert np.isnan(none.mean).tolist() == [[False, True], [True, False]]
    assert np.isnan(none.per_image).all()


@pytest.mark.parametrize("kind", KINDS)
def test_two_groups_are_the_block_of_all_runs_together(kind):
    a, b = alike(2, 5, (8, 8)), alike(3, 5, (8, 8), seed=1)
    b[2, 0] = 0
    complete, block = stability(np.concatenate([a, b]), kind=kind), cross_stability(a, b, kind=kind)
    assert block.pairs == ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2))
    np.testing.assert_array_equal(block.mean, complete.mean[:2, 2:])
    for (i, j), values in zip(block.pairs, block.values, strict=True):
        np.testing.assert_array_equal(values, complete.values[complete.pairs.index((i, 2 + j))])
    assert block.undefined.tolist() == [0, 0, 1, 0, 0, 1]
    assert block.constant_map.tolist() == [0, 0, 0, 0, 1]
    np.testing.assert_allclose(block.per_image, np.nanmean(block.values, axis=0), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_change_nothing_and_share_one_compilation(kind, monkeypatch):
    maps = alike(3, 23, (5, 6))
    maps[1, 4] = maps[2, 19] = 0  # the last chunk still holds image 19, and must not count it
    complete = stability(maps, kind=kind)
    monkeypatch.setattr(
        map_similarity, "PIXELS", 3 * 30 * 5
    )  # five images at a time, the last three
    map_similarity._compare.clear_cache()
    parts = stability(maps, kind=kind)
    assert map_similarity._compare._cache_size() == 1
    np.testing.assert_array_equal(parts.values, complete.values)
    assert parts.constant_map.tolist() == complete.constant_map.tolist() == [0, 1, 1]
    monkeypatch.setattr(map_similarity, "PIXELS", 1)  # a single image is the least
    np.testing.assert_array_equal(stability(maps, kind=kind).values, complete.values)


def test_no_image_is_no_value():
    result = stability(np.zeros((3, 0, 7, 7), np.uint8))
    assert result.values.shape == (3, 0)
    assert result.per_image.shape == (0,)
    assert np.isnan(result.mean[0, 1])


def test_bad_input_is_refused():
    maps = alike(2, 3, (7, 7))
    for given_, message in [
        (maps[:1], "1 run: give the maps of two"),
        (maps.astype(np.float32), r"float32 .*give uint8"),
        (maps[:, :, 0, 0], r"\(2, 3\).*give uint8"),
        (maps[:, :, :2], r"grid of \(2, 7\): use pearson"),
    ]:
        with pytest.raises(InputError, match=message):
            stability(given_)
    with pytest.raises(InputError, match=r"window of 21 on a grid of \(30, 30\)"):
        stability(alike(2, 1, (30, 30)), window=21)
    with pytest.raises(InputError, match="window is 1"):
        stability(maps, window=1)
    with pytest.raises(InputError, match=r"\(2, 3, 7, 7\) and \(2, 3, 7, 6\)"):
        cross_stability(maps, maps[..., :6])
    with pytest.raises(InputError, match="groups of 2 and 0 runs"):
        cross_stability(maps, maps[:0])
    assert np.isfinite(stability(maps[:, :, :2], kind="pearson").values).all()
