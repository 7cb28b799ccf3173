"""Preprocessing on the host and on the device: one crop box, one order of steps."""

import itertools

import jax
import numpy as np
import pytest
from PIL import Image, ImageOps
from skimage.data import astronaut

from salix.data.decode import fit
from salix.preprocess import Preprocess

SATURATED = astronaut()[40:240, 60:360]  # 200 x 300, black and white in it
COLOUR = SATURATED // 2 + np.uint8(64)  # a bicubic filter does not overshoot 0 or 255
GREY = COLOUR[..., :1]
SIZES = {
    "down": (64, 64),
    "up": (384, 448),
    "wide": (50, 140),
    "tall": (260, 90),
    "down and up": (120, 400),
    "same": (200, 300),
}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("how", ["crop", "stretch"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_device_and_host_agree_within_8_bit_rounding(size, how, interpolation):
    for pixels, channels in itertools.product((COLOUR, GREY), (3, 1)):
        to = Preprocess(size, channels, fit=how, interpolation=interpolation)
        host = fit(pixels, to)
        device = 255 * np.asarray(jax.jit(to)(pixels))
        assert device.shape == host.shape == (*size, channels)
        # The host rounds to half a level after each step, which later steps multiply by the sum of
        # their absolute weights: 1, or at most 1.25 of a bicubic filter.
        gain = 1.25 if interpolation == "bicubic" else 1
        to_grey = pixels.shape[-1] > channels
        assert np.abs(device - host).max() <= 0.5 * (gain**2 * to_grey + gain + 1) + 0.02
        assert np.abs(device - host).mean() < 0.4
        # Pixels from the host are only normalised on the device.
        np.testing.assert_allclose(to(host), np.float32(host) / 255, atol=1e-7)


@pytest.mark.parametrize("size", [SIZES["down"], SIZES["up"], SIZES["down and up"]])
def test_bicubic_overshoot_is_clipped_on_both_sides(size):
    # Pillow clips between the axes too, and its version decides which axis is first.
    to = Preprocess(size, interpolation="bicubic")
    host, device = fit(SATURATED, to), 255 * np.asarray(jax.jit(to)(SATURATED))
    assert device.min() >= 0
    assert device.max() < 255.001
    assert (np.abs(device - host) > 1.15).mean() < 1e-3
    assert np.abs(device - host).max() < 4


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("shape", [(200, 300), (300, 200), (97, 31), (64, 64), (500, 3)])
def test_host_pixels_are_those_of_pillow(size, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    image, (height, width) = Image.fromarray(pixels), size
    for interpolation, how in (("bilinear", 2), ("bicubic", 3)):
        cropped = Preprocess(size, fit="crop", interpolation=interpolation)
        expected = ImageOps.fit(image, (width, height), Image.Resampling(how))
        np.testing.assert_array_equal(fit(pixels, cropped), np.asarray(expected))
        stretched = Preprocess(size, interpolation=interpolation)
        expected = image.resize((width, height), Image.Resampling(how))
        np.testing.assert_array_equal(fit(pixels, stretched), np.asarray(expected))


def test_crop_keeps_the_middle_and_the_aspect_ratio():
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[:, 50:100] = 255  # the left half of the middle square
    for x in (np.asarray(Preprocess((32, 32), fit="crop")(pixels)), fit(pixels, CROP) / 255):
        assert x[:, 1:15].min() > 0.99  # the first column has a tail of the filter outside
        assert x[:, 17:].max() < 0.01
    assert CROP.box(100, 200) == (50, 0, 150, 100)
    assert CROP.box(200, 100) == (0, 50, 100, 150)
    assert CROP.box(64, 64) == (0, 0, 64, 64)
    assert Preprocess((32, 32)).box(100, 200) == (0, 0, 200, 100)
    assert Preprocess((10, 30), fit="crop").box(40, 40) == pytest.approx((0, 40 / 3, 40, 80 / 3))


CROP = Preprocess((32, 32), fit="crop")


def test_normalisation_and_channels():
    pixels = np.full((4, 4, 1), 51, np.uint8)
    x = Preprocess((4, 4), mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.1))(pixels)
    np.testing.assert_allclose(x[2, 1], [0.2, 0, -1], atol=1e-6)
    x = Preprocess((4, 4), 3)(pixels)
    assert x.shape == (4, 4, 3)  # grey becomes RGB, as a file's pixels do
