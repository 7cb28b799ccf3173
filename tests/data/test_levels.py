"""Values of wide, signed, real and transparent images as 8-bit levels, or a reason."""

import contextlib
import struct

import numpy as np
import pytest
from PIL import Image

from salix.data.decode import Unreadable, decode
from tests.data.image_files import chunk, encoded, grey_tags, grey_tiff, png, tiff

EIGHT = np.array([[0, 10, 90, 200]])


def levels(content: bytes) -> list[int]:
    """Return the grey levels of the first row."""
    pixels = np.asarray(decode(content))
    assert pixels.dtype == np.uint8
    pixels = pixels if pixels.ndim == 2 else pixels[..., 0]
    return pixels[0].tolist()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (grey_tiff(EIGHT.astype(np.uint8)), [0, 10, 90, 200]),
        (grey_tiff(EIGHT.astype(np.int32)), [0, 10, 90, 200]),
        (grey_tiff(EIGHT.astype(np.uint32)), [0, 10, 90, 200]),
        (grey_tiff(EIGHT.astype(np.float32)), [0, 10, 90, 200]),
        (grey_tiff(EIGHT.astype(">f4")), [0, 10, 90, 200]),
        (grey_tiff(EIGHT.astype(np.float32) / 255), [0, 10, 90, 200]),
        (grey_tiff(EIGHT.astype(np.int32) * 257), [0, 10, 90, 200]),
        (grey_tiff(EIGHT.astype(np.float32) * 257), [0, 10, 90, 200]),
        (grey_tiff(EIGHT.astype(np.uint16) * 257), [0, 10, 90, 200]),
        (grey_tiff(EIGHT.astype(">u2") * 257), [0, 10, 90, 200]),
        (grey_tiff(EIGHT.astype(np.int16) * 128), [0, 10, 90, 199]),
        (grey_tiff((EIGHT * 16).astype(np.uint16), t281=(3, [4095])), [0, 10, 90, 199]),
        (grey_tiff((EIGHT * 16).astype(np.uint16), t341=(3, [4095])), [0, 10, 90, 199]),
        (grey_tiff((EIGHT * 64).astype(">u2"), t281=(3, [16383])), [0, 10, 90, 199]),
        (grey_tiff(EIGHT.astype(np.uint16), t281=(3, [255])), [0, 10, 90, 200]),
        (grey_tiff((EIGHT * 257).astype(np.uint16), t281=(3, [51400])), [0, 10, 90, 200]),
        (grey_tiff((EIGHT * 257).astype(np.uint16), t262=(3, [0])), [255, 245, 165, 55]),
        (grey_tiff(EIGHT.astype(np.float32), t262=(3, [0])), [255, 245, 165, 55]),
        (grey_tiff(np.zeros((1, 4), np.uint16)), [0, 0, 0, 0]),
        (grey_tiff(np.zeros((1, 4), np.float32)), [0, 0, 0, 0]),
        (grey_tiff(np.array([[0, 1, 65535]], np.uint16)), [0, 0, 255]),
        (encoded(Image.fromarray((EIGHT * 257).astype(np.uint16))), [0, 10, 90, 200]),
        (b"P5\n4 1\n65535\n" + (EIGHT * 257).astype(">u2").tobytes(), [0, 10, 90, 200]),
        (b"P5\n4 1\n4095\n" + (EIGHT * 16).astype(">u2").tobytes(), [0, 10, 90, 199]),
        (b"Pf\n4 1\n-1\n" + (EIGHT / 255).astype("<f4").tobytes(), [0, 10, 90, 200]),
        (tiff(grey_tags(1, 4, 12), bytes.fromhex("00000a0fffc8")), [0, 1, 16, 252]),
    ],
)
def test_the_range_decides_the_levels(content, expected):
    assert levels(content) == expected


@pytest.mark.parametrize(
    ("values", "tags", "reason"),
    [
        (np.array([[0, 200]], np.uint16), {}, "16-bit values up to 200 .*nearly black"),
        (np.array([[0, 4095]], np.uint16), {}, "up to 4095 .*nearly black.*MaxSampleValue"),
        (np.array([[0, 4095]], np.uint16), {"t281": (3, [3127])}, "nearly black"),
        (np.array([[0, 300]], np.uint16), {"t281": (3, [255])}, "up to 300: .*maximum of 255"),
        (np.array([[-1, 200]], np.int16), {}, "negative values, down to -1"),
        (np.array([[-5, 200]], np.int32), {}, "negative values, down to -5"),
        (np.array([[0, 1]], np.int32), {}, "integer values up to 1 .*nearly black"),
        (np.array([[0, 70000]], np.int32), {}, "up to 70000: expected a maximum of 255 or 65535"),
        (np.array([[0, 2**32 - 1]], np.uint32), {}, "negative values|up to 4294"),
        (np.array([[0, 1.7]], np.float32), {}, "real values up to 1.7 .*nearly black"),
        (np.array([[0, 1e9]], np.float32), {}, r"up to 1e\+09: expected a maximum of 1 or 255"),
        (np.array([[0, -0.5]], np.float32), {}, "negative values, down to -0.5"),
        (np.array([[0, np.nan]], np.float32), {}, "not finite"),
        (np.array([[0, np.inf]], np.float32), {}, "not finite"),
        (np.array([[0, 100]], np.int8), {}, "signed 8-bit values"),
        (np.array([[0, 1.0]], np.float64), {}, "TIFF"),
    ],
)
def test_other_ranges_are_refused_with_a_reason(values, tags, reason):
    with pytest.raises(Unreadable, match=reason):
        decode(grey_tiff(values, **tags))


def colour16(values: list[int], **more) -> bytes:
    tags = grey_tags(1, 1, 16) | {258: (3, [16] * 3), 262: (3, [2]), 277: (3, [3]), 279: (4, [6])}
    return tiff(tags | {int(t[1:]): v for t, v in more.items()}, struct.pack("<3H", *values))


def test_colour_of_16_bits_is_its_high_byte_and_never_silently_black():
    pixel = np.asarray(decode(colour16([65535, 512, 256])))[0, 0]
    assert pixel.tolist() == [255, 2, 1]
    with pytest.raises(Unreadable, match="16-bit colour of levels up to 15 of 255"):
        decode(colour16([4095, 1000, 0]))
    with pytest.raises(Unreadable, match="16-bit colour"):
        decode(colour16([16383, 1000, 0], t281=(3, [16383] * 3)))
    rows = np.array([[0x0F, 0xFF, 0, 0, 0, 0]], np.uint8)
    with pytest.raises(Unreadable, match="16-bit colour of levels up to 15 of 255"):
        decode(png(rows, 16, 2))
    assert np.asarray(decode(colour16([0, 0, 0]))).max() == 0


def key(*values: int) -> bytes:
    return chunk(b"tRNS", struct.pack(f">{len(values)}H", *values))


@pytest.mark.parametrize(
    ("rows", "depth", "colours", "extra", "expected"),
    [
        ([[10, 20, 30, 200, 0, 0]], 8, 2, [key(200, 0, 0)], [[10, 20, 30], [255] * 3]),
        ([[10, 20, 30, 10, 20, 31]], 8, 2, [key(10, 20, 31)], [[10, 20, 30], [255] * 3]),
        ([[10, 200]], 8, 0, [key(200)], [[10] * 3, [255] * 3]),
        ([[0x1A]], 4, 0, [key(10)], [[17] * 3, [255] * 3]),
        ([[0b00_01_10_11]], 2, 0, [key(1)], [[0] * 3, [255] * 3, [170] * 3, [255] * 3]),
        ([[0b01010101]], 1, 0, [key(0)], [[255] * 3] * 8),
        ([[0b01010101]], 1, 0, [key(1)], [[0] * 3, [255] * 3] * 4),
        ([[1, 1, 100, 0]], 16, 0, [key(257)], [[255] * 3, [100] * 3]),
        ([[1, 1, 100, 0]], 16, 0, [key(256)], [[1] * 3, [100] * 3]),
        ([[9, 1, 8, 0, 7, 0, 90, 0, 0, 0, 0, 0]], 16, 2, [key(2305, 2048, 1792)],
         [[255] * 3, [90, 0, 0]]),
        ([[0, 1]], 8, 3, [chunk(b"PLTE", bytes([9, 8, 7, 6, 5, 4])), chunk(b"tRNS", b"\0")],
         [[255] * 3, [6, 5, 4]]),
        ([[0, 1]], 8, 3, [chunk(b"PLTE", bytes([9, 8, 7, 60, 50, 40])),
                          chunk(b"tRNS", b"\xff\x80")], [[9, 8, 7], [157, 152, 147]]),
        ([[0b01000000]], 1, 3, [chunk(b"PLTE", bytes([9, 8, 7, 6, 5, 4])),
                                chunk(b"tRNS", b"\xff\0")],
         [[9, 8, 7], [255] * 3, *[[9, 8, 7]] * 6]),
        ([[100, 0, 100, 255]], 8, 4, [], [[255] * 3, [100] * 3]),
        ([[100, 0, 0, 0, 100, 0, 255, 255]], 16, 4, [], [[255] * 3, [100] * 3]),
        ([[1, 2, 3, 0, 1, 2, 3, 255]], 8, 6, [], [[255] * 3, [1, 2, 3]]),
    ],
)  # fmt: skip
def test_transparent_pixels_of_a_png_are_white(rows, depth, colours, extra, expected):
    image = decode(png(np.array(rows, np.uint8), depth, colours, *extra))
    assert np.asarray(image.convert("RGB"))[0].tolist() == expected


@pytest.mark.parametrize(
    ("mode", "pixel", "format", "expected"),
    [
        ("LA", (100, 0), "TIFF", [255] * 3),
        ("LA", (100, 128), "PNG", [177] * 3),
        ("RGBA", (200, 0, 0, 128), "WEBP", [227, 127, 127]),
        ("RGBA", (200, 0, 0, 0), "GIF", [255] * 3),
        ("RGBA", (200, 0, 0, 0), "TGA", [255] * 3),
        ("RGBA", (200, 0, 0, 0), "TIFF", [255] * 3),
        ("PA", (1, 0), "TIFF", [255] * 3),
        ("CMYK", (0, 255, 255, 0), "TIFF", [255, 0, 0]),
        ("CMYK", (0, 0, 0, 255), "JPEG", [0, 0, 0]),
        ("1", 255, "PNG", [255] * 3),
        ("1", 255, "BMP", [255] * 3),
        ("YCbCr", (128, 128, 128), "TIFF", [128] * 3),
        ("L", 77, "JPEG2000", [77] * 3),
        ("I;16", 77 * 257, "JPEG2000", [77] * 3),
    ],
)
def test_modes_of_formats(mode, pixel, format, expected):
    image = Image.new("L", (4, 4), 1).convert("PA") if mode == "PA" else None
    if image is None:
        image = Image.new(mode, (4, 4), pixel)
    else:
        image.putalpha(0)
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    decoded = np.asarray(decode(encoded(image, format, **options)).convert("RGB"))
    assert np.abs(decoded[0, 0].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("premultiplied", [False, True])
def test_associated_alpha_of_a_tiff(premultiplied):
    pixel = [50, 100] if premultiplied else [128, 100]
    extra = (3, [1 if premultiplied else 2])
    tags = grey_tags(1, 1, 8) | {258: (3, [8, 8]), 277: (3, [2]), 279: (4, [2]), 338: extra}
    with contextlib.suppress(Unreadable):  # older versions have no such kind of TIFF
        level = np.asarray(decode(tiff(tags, bytes(pixel))).convert("L"))[0, 0]
        assert abs(int(level) - 205) <= 2


def test_strips_give_the_pixels_of_the_whole(monkeypatch):
    from salix.data import levels as module

    rng = np.random.default_rng(0)
    grey = encoded(Image.fromarray(rng.integers(0, 65536, (37, 11), np.uint16)))
    alpha = encoded(Image.fromarray(rng.integers(0, 256, (37, 11, 4), np.uint8)))
    whole = [np.asarray(decode(c)) for c in (grey, alpha)]
    monkeypatch.setattr(module, "STRIP", 30)
    for content, expected in zip((grey, alpha), whole, strict=True):
        np.testing.assert_array_equal(np.asarray(decode(content)), expected)
