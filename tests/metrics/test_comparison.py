"""The comparison of two maps that measures of change share."""

import jax
import numpy as np
import pytest
from PIL import Image
from skimage.metrics import structural_similarity

from salix.metrics.comparison import Similarity
from salix.metrics.resizing import enlarge
from salix.spec import parse
from salix.typing import InputError

rng = np.random.default_rng(0)


@pytest.mark.parametrize(("pixels", "side"), [((7, 7), 224), ((8, 8), 299), ((5, 9), 64)], ids=str)
def test_8_bit_maps_are_enlarged_as_pillow_does_to_the_last_bit(pixels, side):
    grow = jax.jit(lambda map: enlarge(map, side))
    for _ in range(10):
        map = rng.integers(0, 256, pixels, np.uint8)
        map[map < 100] = 0
        expected = Image.fromarray(map).resize((side, side), Image.Resampling.BICUBIC)
        assert (np.asarray(grow(map)) == np.asarray(expected)).all()


def test_float_maps_are_enlarged_by_the_same_kernel():
    map = rng.uniform(size=(7, 7)).astype(np.float32)
    expected = np.asarray(Image.fromarray(map).resize((50, 50), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(enlarge(map, 50), np.clip(expected, 0, 1), atol=1e-6)


@pytest.mark.parametrize("side", [None, 64])
def test_ssim_of_8_bit_maps_is_that_of_scikit_image(side):
    for _ in range(5):
        a, b = rng.uniform(size=(2, 7, 7)).astype(np.float32)
        x, y = (np.floor(255 * m).astype(np.uint8) for m in (a, b))
        if side:
            big = Image.Resampling.BICUBIC
            x, y = (np.asarray(Image.fromarray(m).resize((side, side), big)) for m in (x, y))
        expected = structural_similarity(x, y)
        assert Similarity(side=side)(a, b) == pytest.approx(expected, abs=2e-6)


def test_a_window_larger_than_the_map_becomes_the_largest_odd_one_that_fits():
    a, b = rng.uniform(size=(2, 6, 4)).astype(np.float32)
    result = Similarity(eight_bit=False)(a, b)
    assert result == pytest.approx(structural_similarity(a, b, win_size=3, data_range=1), abs=1e-5)


@pytest.mark.parametrize("kind", ["ssim", "pearson", "spearman"])
def test_equal_maps_are_alike_and_others_are_not(kind):
    a, b = rng.uniform(size=(2, 8, 8)).astype(np.float32)
    like = Similarity(kind)
    assert like(a, a) == pytest.approx(1, abs=1e-6)
    assert abs(like(a, b)) < 0.5


def test_its_repr_names_it():
    like = Similarity("pearson", side=32, eight_bit=False)
    assert parse(repr(like), {"Similarity": Similarity}) == like


def test_bad_settings_say_what_to_give():
    with pytest.raises(InputError, match="choose one of ssim, pearson, spearman"):
        Similarity("mse")
    with pytest.raises(InputError, match="at least 2 pixels"):
        Similarity(window=1)
    with pytest.raises(InputError, match="cannot be enlarged to 4 x 4"):
        enlarge(np.zeros((7, 7), np.uint8), 4)
    with pytest.raises(InputError, match=r"shape \(7,\)"):
        enlarge(np.zeros(7, np.uint8), 224)
