"""Preprocessing on the host and on the device: one crop box, one order of steps."""

import itertools

import jax
import numpy as np
import pytest
from jaxtyping import config
from PIL import Image, ImageOps
from skimage.data import astronaut

from salix.data.decode import fit
from salix.preprocess import Preprocess
from salix.typing import InputError

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


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("how", ["crop", "stretch"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos", "box", "nearest"])
def test_device_and_host_agree_within_8_bit_rounding(size, how, interpolation):
    for pixels, channels in itertools.product((COLOUR, GREY), (3, 1)):
        to = Preprocess(size, channels, fit=how, interpolation=interpolation)
        host = fit(pixels, to)
        device = 255 * np.asarray(jax.jit(to)(pixels))
        assert device.shape == host.shape == (*size, channels)
        # The host rounds to half a level after each step, which later steps multiply by the sum of
        # their absolute weights: 1, or at most 1.25 of a bicubic filter.
        gain = {"bicubic": 1.25, "lanczos": 1.75}.get(interpolation, 1)
        to_grey = pixels.shape[-1] > channels
        off = np.abs(device - host) > 0.5 * (gain**2 * to_grey + gain + 1) + 0.02
        # Whole pixels: rounding decides the one at a centre half-way between two.
        assert off.mean() <= (0.06 if interpolation in ("box", "nearest") else 0)
        # Means of whole pixels by a box are often half-way between two levels.
        limits = {"box": 0.6, "nearest": 1.5}
        assert np.abs(device - host).mean() < limits.get(interpolation, 0.4)
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


@pytest.mark.slow
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


RESIZED = [(256, (224, 224)), (64, (64, 64)), (80, (64, 48)), (300, (224, 200))]


@pytest.mark.slow
@pytest.mark.parametrize(("side", "size"), RESIZED)
@pytest.mark.parametrize("pixels", [COLOUR, np.rot90(COLOUR)], ids=["wide", "tall"])
def test_a_crop_of_a_resized_image_is_that_of_torchvision(side, size, pixels):
    """Resize(side) and CenterCrop(size), which round to whole pixels between the two steps."""
    to = Preprocess(size, fit="crop", resize=side)
    height, width = pixels.shape[:2]
    scale = side / min(height, width)
    whole = Image.fromarray(pixels).resize((round(width * scale), round(height * scale)), 2)
    top, left = (round((whole.height - size[0]) / 2), round((whole.width - size[1]) / 2))
    expected = np.asarray(whole)[top : top + size[0], left : left + size[1]].astype(float)
    host, device = fit(pixels, to).astype(float), 255 * np.asarray(to(pixels))
    assert host.shape == expected.shape == device.shape
    assert np.abs(host - expected).mean() < 2.5  # half a pixel of position at most
    assert np.corrcoef(host.ravel(), expected.ravel())[0, 1] > 0.99
    assert np.abs(host - device).max() < 1.1


def test_an_image_of_the_models_size_is_cropped_too():
    pixels = COLOUR[:64, :64]
    to = Preprocess((64, 64), fit="crop", resize=80)
    expected = np.asarray(Image.fromarray(pixels).resize((64, 64), 2, (6.4, 6.4, 57.6, 57.6)))
    np.testing.assert_array_equal(fit(pixels, to), expected)
    assert np.abs(255 * np.asarray(to(pixels)) - expected).max() < 1.1


def test_one_number_is_that_of_all_channels_and_one_side_a_square(unchecked_types):
    to = Preprocess(96, mean=[0.5], std=np.array([0.5]))
    assert to == Preprocess((96, 96), mean=(0.5,), std=(0.5,))
    np.testing.assert_allclose(to(np.full((96, 96, 3), 255, np.uint8)), 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 0}, "size is 0: give one side in pixels, or height and width"),
        ({"size": (1, 2, 3)}, r"size is \(1, 2, 3\)"),
        ({"size": (32.0, 32)}, r"size has 32\.0"),
        ({"mean": (123.7, 116.3, 103.5)}, r"mean has 123\.7: .*divide a mean of levels.*by 255"),
        (
            {"mean": (0.5, 0.5)},
            r"mean is \(0\.5, 0\.5\): images of 3 channels take one number, or 3",
        ),
        ({"mean": 0.5}, r"mean is 0\.5"),
        ({"std": (0,)}, "std has 0: give one number above 0"),
        ({"std": (58.4,)}, r"std has 58\.4"),
        ({"std": (float("nan"),)}, "std has nan"),
        ({"channels": 1, "mean": (0.1, 0.2, 0.3)}, "images of 1 channels take one number"),
        ({"channels": 4}, "channels is 4: give 3 for RGB, or 1 for grey"),
        ({"channels": 2}, "channels is 2"),
        ({"fit": "pad"}, "fit is 'pad': choose one of stretch, crop"),
        (
            {"interpolation": "area"},
            "interpolation is 'area': choose one of bilinear, bicubic, lan",
        ),
        ({"resize": 256}, "resize is 256: with fit='crop'"),
        ({"resize": 200, "fit": "crop"}, "resize is 200: .* 224 or more for a size of 224 x 224"),
        ({"resize": True, "fit": "crop"}, "resize is True"),
    ],
)
def test_values_that_make_no_sense_are_refused(values, message, unchecked_types):
    with pytest.raises(InputError, match=message):
        Preprocess(**values)


@pytest.fixture
def unchecked_types():
    """Turn the types off that tests check when a function is called: users have no such check."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)
