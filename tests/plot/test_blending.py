"""Maps over images: closed forms at the ends, Pillow between them, and refused input."""

import numpy as np
import pytest
from PIL import Image

from salix.plot import blend
from salix.plot.colours import colours
from salix.typing import InputError

rng = np.random.default_rng(0)
PIXELS = rng.integers(0, 256, (12, 9, 3), np.uint8)
MAP = rng.normal(size=(4, 3))


def test_the_ends_are_the_image_and_the_map():
    np.testing.assert_array_equal(blend(PIXELS, MAP, opacity=0), PIXELS)
    same_size = rng.permutation(108).reshape(12, 9)
    levels = np.rint(same_size / 107 * 255).astype(int)
    np.testing.assert_array_equal(blend(PIXELS, same_size, opacity=1), colours()[levels])


def test_between_them_each_pixel_is_the_weighted_mean():
    scaled = (MAP - MAP.min()) / (MAP.max() - MAP.min())
    large = Image.fromarray(scaled.astype(np.float32)).resize((9, 12), Image.Resampling.BICUBIC)
    map = colours()[np.rint(np.clip(np.asarray(large), 0, 1) * 255).astype(int)]
    expected = 0.7 * PIXELS + 0.3 * map
    assert np.abs(blend(PIXELS, MAP, opacity=0.3) - expected).max() <= 0.5 + 1e-9


def test_the_scale_of_a_map_does_not_matter_and_a_constant_map_is_zero():
    np.testing.assert_array_equal(blend(PIXELS, 5 * MAP - 3), blend(PIXELS, MAP))
    constant = blend(PIXELS, np.full((4, 3), 7.0), opacity=1)
    np.testing.assert_array_equal(constant, np.broadcast_to(colours()[0], (12, 9, 3)))


def test_a_grey_image_is_drawn_as_rgb():
    grey = PIXELS[..., 0]
    expected = blend(np.stack([grey] * 3, -1), MAP)
    np.testing.assert_array_equal(blend(grey, MAP), expected)
    np.testing.assert_array_equal(blend(grey[..., None], MAP), expected)


@pytest.mark.parametrize(
    ("image", "map", "opacity", "text"),
    [
        (PIXELS, MAP, 1.5, "opacity is 1.5"),
        (PIXELS, MAP[0], 0.5, r"map of shape \(3,\)"),
        (PIXELS, np.where(MAP > 1, np.nan, MAP), 0.5, "finite"),
        (PIXELS, MAP[:0], 0.5, r"\(0, 3\)"),
        (PIXELS[..., :2], MAP, 0.5, r"\(12, 9, 2\)"),
    ],
)
def test_what_cannot_be_drawn_is_refused(image, map, opacity, text):
    assert MAP.max() > 1
    with pytest.raises(InputError, match=text):
        blend(image, map, opacity=opacity)
