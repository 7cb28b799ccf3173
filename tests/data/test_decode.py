"""Decoding of unusual image files: 8-bit pixels, or a reason for refusal."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from salix.data.decode import Unreadable, decode, fit
from salix.preprocess import Preprocess


def encoded(image: Image.Image, format: str = "PNG", **options) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def pixels(content: bytes) -> np.ndarray:
    image = decode(content)
    return np.asarray(fit(image, Preprocess((image.height, image.width))))


GRADIENT = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3) * 3


def test_rgb_is_unchanged():
    np.testing.assert_array_equal(pixels(encoded(Image.fromarray(GRADIENT))), GRADIENT)


def test_exif_rotation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated a quarter clockwise
    content = encoded(Image.fromarray(GRADIENT), exif=exif)
    np.testing.assert_array_equal(pixels(content), np.rot90(GRADIENT, -1))


def test_grey_becomes_three_equal_channels():
    grey = GRADIENT[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=-1)
    np.testing.assert_array_equal(pixels(encoded(Image.fromarray(grey))), expected)


def test_16_bit_grey_is_scaled_not_clipped():
    deep = np.array([[0, 257, 32768, 65535]], np.uint16)
    assert pixels(encoded(Image.fromarray(deep)))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_cmyk_becomes_rgb():
    ink = Image.new("CMYK", (2, 2), (0, 255, 255, 0))
    decoded = pixels(encoded(ink, "JPEG", quality=95))[0, 0]
    assert decoded[0] > 240
    assert decoded[1:].max() < 15


@pytest.mark.parametrize(("alpha", "grey"), [(0, 255), (255, 40), (128, 147)])
def test_alpha_is_composited_over_white(alpha, grey):
    content = encoded(Image.new("RGBA", (2, 2), (40, 40, 40, alpha)))
    assert pixels(content)[0, 0].tolist() == [grey] * 3


def test_a_transparent_palette_is_composited_over_white():
    image = Image.new("P", (2, 2), 0)
    image.putpalette([10, 20, 30])
    assert pixels(encoded(image, transparency=0))[0, 0].tolist() == [255, 255, 255]


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (3, 3), colour) for colour in ((200, 0, 0), (0, 200, 0))]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixels(content)[0, 0].tolist() == [200, 0, 0]


@pytest.mark.parametrize("mode", ["1", "LA", "P", "I", "F", "YCbCr", "LAB"])
def test_every_mode_gives_8_bit_rgb(mode):
    image = Image.new("L", (5, 5), 0).convert("RGB").convert(mode) if mode != "LAB" else None
    image = image or Image.new("LAB", (5, 5))
    decoded = pixels(encoded(image, "TIFF"))
    assert (decoded.shape, decoded.dtype) == ((5, 5, 3), np.uint8)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"no image at all", "not an image"),
        (encoded(Image.effect_noise((64, 64), 99), "JPEG")[:-300], "truncated"),
        (encoded(Image.new("1", (20_000, 6_000))), "120,000,000|20000 x 6000"),
    ],
    ids=["empty", "text", "truncated", "huge"],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_unusable_files_are_refused_with_a_reason(content, reason):
    with pytest.raises(Unreadable, match=reason):
        decode(content)


def test_a_decompression_bomb_is_refused():
    with pytest.raises(Unreadable, match=r"DecompressionBomb|pixels, over"):
        decode(encoded(Image.new("1", (20_000, 20_000))))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_resizing_is_antialiased(interpolation):
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))  # at the limit of the grid
    to = Preprocess((8, 8), 1, interpolation=interpolation)
    inner = np.asarray(fit(stripes, to))[2:-2, 2:-2].astype(float)
    assert np.abs(inner - 127.5).max() < 16


def test_crop_keeps_the_aspect():
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    assert np.asarray(fit(wide, Preprocess((10, 10), fit="crop"))).min() == 255
    assert np.asarray(fit(wide, Preprocess((10, 10)))).min() == 0


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_an_array_that_is_not_an_8_bit_image_is_refused(array):
    with pytest.raises(Unreadable, match="pixels of"):
        fit(array, Preprocess())


def test_preprocessing_on_the_device():
    x = np.array([[[0, 51, 255]]], np.uint8)
    model = Preprocess((1, 1), mean=(0.5, 0.2, 0.0), std=(0.5, 1.0, 0.5))
    np.testing.assert_allclose(model(x)[0, 0], [-1.0, 0.0, 2.0], atol=1e-7)
    grey = Preprocess((1, 1), 1)(x)[0, 0, 0]
    np.testing.assert_allclose(grey, (0.587 * 51 + 0.114 * 255) / 255, rtol=1e-6)


@pytest.mark.slow
def test_the_device_resizes_as_the_host_does():
    image = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    to = Preprocess((16, 20))
    host = np.asarray(fit(image, to)) / 255
    assert np.abs(np.asarray(to(image)) - host).max() < 0.01
