"""Geometric and photometric transforms against NumPy, SciPy and Pillow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from scipy.ndimage import affine_transform, binary_erosion
from skimage.metrics import structural_similarity

from salix.metrics import pearson, spearman
from salix.metrics.comparison import Similarity, ssim_where
from salix.metrics.similarity import ssim_map
from salix.perturb import photometric
from salix.perturb.cose import TRANSFORMS, transform_magnitudes, transform_placements
from salix.perturb.warps import (
    IDENTITY,
    SHIFTS,
    TURNS,
    invert,
    rotation,
    scaling,
    translation,
    valid_region,
    warp,
)
from salix.typing import InputError

rng = np.random.default_rng(0)
PICTURE = rng.integers(0, 256, (24, 24, 3), np.uint8)
PICTURE[:8] = PICTURE[:8] // 3 + 20
NUMPY = {
    "flip_lr": np.fliplr,
    "flip_ud": np.flipud,
    "turn_clockwise": lambda x: np.rot90(x, -1),
    "turn_counterclockwise": np.rot90,
}
move = jax.jit(warp, static_argnames="nearest")


@pytest.mark.parametrize("name", NUMPY)
@pytest.mark.parametrize("shape", [(7, 7), (8, 8, 3)])
@pytest.mark.parametrize("nearest", [False, True])
def test_flips_and_quarter_turns_are_exact(name, shape, nearest):
    x = rng.normal(size=shape).astype(np.float32)
    moved = move(x, TURNS[name], nearest=nearest)
    np.testing.assert_array_equal(moved, NUMPY[name](x))
    np.testing.assert_array_equal(move(moved, invert(TURNS[name]), nearest=nearest), x)
    assert valid_region(shape[:2], TURNS[name]).all()


@pytest.mark.parametrize("name", SHIFTS)
def test_a_shift_pads_with_the_edge_and_crops(name):
    x = rng.normal(size=(12, 9, 2)).astype(np.float32)
    dx, dy = (3 * step for step in SHIFTS[name])
    padded = np.pad(x, ((3, 3), (3, 3), (0, 0)), mode="edge")
    np.testing.assert_array_equal(
        move(x, translation(dx, dy)), padded[3 - dy : 15 - dy, 3 - dx : 12 - dx]
    )
    inside = np.zeros((18, 15), bool)
    inside[3:-3, 3:-3] = True
    np.testing.assert_array_equal(
        valid_region((12, 9), translation(dx, dy)), inside[3 - dy : 15 - dy, 3 - dx : 12 - dx]
    )
    assert ("right" in name, "left" in name) == (dx > 0, dx < 0)
    assert ("down" in name, "up" in name) == (dy > 0, dy < 0)


@pytest.mark.parametrize("placement", [rotation(17), rotation(-120), scaling(1.3), scaling(0.7)])
def test_bilinear_warps_are_those_of_scipy(placement):
    x = rng.uniform(size=(15, 12)).astype(np.float32)
    centre = np.array([7, 5.5])
    matrix = placement[:, :2]
    expected = affine_transform(x, matrix, centre - matrix @ centre, order=1, mode="nearest")
    np.testing.assert_allclose(move(x, placement), expected, atol=1e-5)
    inside = affine_transform(
        np.ones((15, 12)), matrix, centre - matrix @ centre, order=1, mode="constant"
    )
    np.testing.assert_array_equal(valid_region((15, 12), placement), inside > 0.999)


def test_a_rotation_is_counter_clockwise_and_a_quarter_of_one_is_a_turn():
    x = rng.uniform(size=(9, 9)).astype(np.float32)
    np.testing.assert_allclose(move(x, rotation(90)), np.rot90(x), atol=1e-5)
    assert valid_region((9, 9), rotation(90)).all()  # rounding does not lose the border
    np.testing.assert_allclose(move(x, rotation(30)), move(x, invert(rotation(-30))), atol=1e-5)
    every = invert(np.stack([rotation(50), translation(2, 1)]))
    np.testing.assert_allclose(every[0], rotation(-50), atol=1e-12)
    np.testing.assert_allclose(every[1], translation(-2, -1))


def place(name, image, magnitude):
    pixels = int(magnitude * image.width / 224)
    if name == "Rotate":
        return image.rotate(magnitude)
    if name.startswith("Flip"):
        return {"FlipLR": ImageOps.mirror, "FlipUD": ImageOps.flip}[name](image)
    matrix = (1, 0, -pixels, 0, 1, 0) if name == "TranslateX" else (1, 0, 0, 0, 1, -pixels)
    return image.transform(image.size, Image.Transform.AFFINE, matrix)


@pytest.mark.parametrize("name", ["TranslateX", "TranslateY", "Rotate", "FlipLR", "FlipUD"])
def test_changes_of_place_are_those_of_pillow(name):
    image = Image.fromarray(PICTURE).resize((56, 56))
    x = np.asarray(image).astype(np.float32)
    change = jax.jit(TRANSFORMS[name])
    for i in (3, 29, 30, 50):
        expected = np.asarray(place(name, image, float(transform_magnitudes(name)[i])))
        result = np.asarray(change(x, transform_placements(name, 56)[i], jnp.float32(0)))
        differ = (result != expected).any(-1).mean()
        # At 135 degrees the sources of one diagonal lie half-way between two pixels.
        assert differ < 0.018 if name == "Rotate" else differ == 0


BLENDS = {
    "Brightness": ImageEnhance.Brightness,
    "Color": ImageEnhance.Color,
    "Contrast": ImageEnhance.Contrast,
    "Sharpness": ImageEnhance.Sharpness,
}


@pytest.mark.parametrize("name", BLENDS)
@pytest.mark.parametrize("grey", [False, True])
def test_blends_are_those_of_pillow(name, grey):
    x = PICTURE[..., :1] if grey else PICTURE
    image = Image.fromarray(x[..., 0] if grey else x)
    change = jax.jit(TRANSFORMS[name])
    for magnitude in np.float32([-0.99, -0.363, 0, 0.33, 0.99]):
        expected = BLENDS[name](image).enhance(float(1 + magnitude))
        result = np.asarray(change(x.astype(np.float32), IDENTITY, magnitude))
        difference = np.abs(result - np.asarray(expected).reshape(x.shape).astype(np.float32))
        # a product one rounding below a whole number is one level lower
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.005
        assert name == "Color" or magnitude == 0 or (result != x).mean() > 0.5


PLAIN = {
    "AutoContrast": ImageOps.autocontrast,
    "Equalize": ImageOps.equalize,
    "Blur": lambda image: image.filter(ImageFilter.BLUR),
    "Smooth": lambda image: image.filter(ImageFilter.SMOOTH),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_changes_are_those_of_pillow(name):
    dark = (PICTURE // 3 + 30).astype(np.uint8)
    flat = np.full((24, 24, 3), 77, np.uint8)
    few = (PICTURE // 100 * 60).astype(np.uint8)
    change = jax.jit(TRANSFORMS[name])
    for x in (PICTURE, dark, flat, few, np.tile(dark, (2, 3, 1))):
        expected = np.asarray(PLAIN[name](Image.fromarray(x))).astype(np.float32)
        result = np.asarray(change(x.astype(np.float32), IDENTITY, jnp.float32(0)))
        difference = np.abs(result - expected)
        slack = 0.03 if name == "AutoContrast" else 0
        assert difference.max() <= (slack > 0)
        assert (difference > 0).mean() <= slack


def test_an_image_smaller_than_a_kernel_is_kept():
    x = np.float32(PICTURE[:3, :4])
    np.testing.assert_array_equal(photometric.blur(x), x)


def test_other_channels_have_no_grey():
    with pytest.raises(InputError, match="4 channels"):
        photometric.contrast(np.zeros((8, 8, 4), np.float32), 0.5)


def maps(shape=(20, 17)):
    a = rng.uniform(size=shape)
    return a, np.clip(a + rng.normal(scale=0.2, size=shape), 0, 1)


@pytest.mark.parametrize("window", [5, 7])
def test_ssim_of_each_window_is_that_of_scikit_image(window):
    a, b = maps()
    _, full = structural_similarity(a, b, win_size=window, data_range=0.8, full=True)
    edge = window // 2
    result = ssim_map(a.astype(np.float32), b.astype(np.float32), window=window, data_range=0.8)
    np.testing.assert_allclose(result, full[edge:-edge, edge:-edge], atol=2e-5)


@pytest.mark.slow
def test_ssim_is_averaged_over_windows_that_are_valid_as_a_whole():
    a, b = maps()
    valid = np.asarray(valid_region(a.shape, rotation(25)))
    _, full = structural_similarity(a, b, win_size=5, data_range=1, full=True)
    complete = binary_erosion(valid, np.ones((5, 5)))  # the border of the map counts as not valid
    assert 0 < complete.sum() < 16 * 13
    garbage = np.where(valid, b, 7).astype(np.float32)
    result = ssim_where(a.astype(np.float32), garbage, valid, window=5, data_range=1)
    assert float(result) == pytest.approx(full[complete].mean(), abs=1e-4)
    assert np.isnan(ssim_where(a, b, np.zeros(a.shape, bool), window=5, data_range=1))


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_correlations_are_of_the_valid_pixels(kind):
    a, b = (np.float32(m) for m in maps())
    valid = rng.uniform(size=a.shape) < 0.6
    like = Similarity(kind, eight_bit=False)
    alone = {"pearson": pearson, "spearman": spearman}[kind](a[valid], b[valid])
    result = like.compare_where(a, np.where(valid, b, 9).astype(np.float32), valid)
    assert float(result) == pytest.approx(float(alone), abs=1e-5)
    assert np.isnan(like.compare_where(a, b, np.zeros(a.shape, bool)))


def test_a_window_that_does_not_fit_is_refused():
    a, b = maps((4, 9))
    with pytest.raises(InputError, match=r"window of 5.*\(4, 9\)"):
        ssim_map(a, b, window=5, data_range=1)
