"""Orientation of photographs: read alone, tolerant of everything else in the metadata."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, features

from salix.data.decode import decode
from tests.data.image_files import chunk, encoded, exif, grey_tags, png, tiff, with_exif

# Four quarters of different brightness: each of the eight orientations moves them apart.
QUARTERS = np.kron(np.array([[10, 80], [150, 220]], np.uint8), np.ones((16, 24), np.uint8))
PICTURE = Image.fromarray(np.stack([QUARTERS] * 3, -1))
JPEG = encoded(PICTURE, "JPEG", quality=95)
TURNED = {
    1: QUARTERS, 2: QUARTERS[:, ::-1], 3: QUARTERS[::-1, ::-1], 4: QUARTERS[::-1],
    5: QUARTERS.T, 6: QUARTERS[::-1].T, 7: QUARTERS[::-1, ::-1].T, 8: QUARTERS.T[::-1],
}  # fmt: skip
SIX = {274: (3, [6])}


def difference(content: bytes, expected: np.ndarray) -> float:
    pixels = np.asarray(decode(content).convert("L")).astype(int)
    assert pixels.shape == expected.shape
    return float(np.abs(pixels - expected).mean())


@pytest.mark.parametrize("value", list(range(1, 9)))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_each_orientation_in_each_format(value, format):
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    block = Image.Exif()
    block[274] = value
    content = encoded(PICTURE, format, exif=block, quality=90)
    assert difference(content, TURNED[value]) < 8


def odd(order: str, **tags) -> bytes:
    return with_exif(JPEG, exif({int(t[1:]): v for t, v in tags.items()} | SIX, order))


ODD = {
    "signed exposure -1/0": {"t37380": (10, [-1, 0])},
    "unsigned 0/0": {"t282": (5, [0, 0])},
    "signed resolution": {"t282": (10, [-1, 0]), "t283": (10, [-2, 0])},
    "resolution as text": {"t282": (2, b"seventy-two\0")},
    "unknown type": {"t270": (77, b"abc")},
    "text that is not ASCII": {"t271": (2, bytes(range(128, 200)))},
    "private maker note": {"t37500": (7, bytes(300))},
    "directory of EXIF beyond the end": {"t34665": (4, [0xFFFFFF])},
    "directory of EXIF in itself": {"t34665": (4, [8])},
    "GPS beyond the end": {"t34853": (4, [0xFFFFFFF0])},
    "rational of huge numbers": {"t33434": (5, [2**32 - 1, 2**32 - 1])},
    "real number that is not finite": {"t33434": (11, [float("nan")])},
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("what", ODD)
def test_odd_tags_neither_lose_nor_turn_a_photograph(what, order):
    assert difference(odd(order, **ODD[what]), TURNED[6]) < 8


@pytest.mark.parametrize(
    ("tag", "turned"),
    [
        ((3, [9]), 1), ((3, [0]), 1), ((3, [65535]), 1), ((2, b"6\0"), 1), ((3, [6, 1]), 6),
        ((4, [6]), 6), ((1, [6]), 6), ((9, [6]), 6), ((8, [-6]), 1), ((5, [6, 1]), 1),
        ((12, [6.0]), 6), ((11, [6.5]), 1), ((3, []), 1),
    ],
    ids=str,
)  # fmt: skip
def test_the_orientation_is_an_integer_from_1_to_8(tag, turned):
    assert difference(with_exif(JPEG, exif({274: tag})), TURNED[turned]) < 8


@pytest.mark.parametrize("length", [0, 3, 6, 8, 13, 14, 16, 20, 25])
def test_truncated_exif_leaves_the_photograph_upright(length):
    assert difference(with_exif(JPEG, exif(SIX)[:length]), QUARTERS) < 8


def test_blocks_beside_exif_do_not_turn():
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation='6'/>"
    assert difference(with_exif(JPEG, xmp), QUARTERS) < 8
    second = with_exif(with_exif(JPEG, exif({274: (3, [3])})), exif(SIX))
    assert difference(second, TURNED[6]) < 8  # the first of two
    thumbnail = exif(SIX) + encoded(Image.new("RGB", (8, 8)), "JPEG")
    assert difference(with_exif(JPEG, thumbnail), TURNED[6]) < 8


def test_exif_of_a_png_stands_before_or_after_the_pixels_or_in_text():
    plain = png(QUARTERS, 8, 0)
    block = exif(SIX)[6:]
    before = png(QUARTERS, 8, 0, chunk(b"eXIf", block))
    after = plain[:-12] + chunk(b"eXIf", block) + plain[-12:]
    text = b"\nexif\n%8d\n%s\n" % (len(block) + 6, exif(SIX).hex().encode())
    name = b"Raw profile type exif\0"
    old = png(QUARTERS, 8, 0, chunk(b"zTXt", name + b"\0" + zlib.compress(text)))
    plain_text = png(QUARTERS, 8, 0, chunk(b"tEXt", name + text))
    for content in (before, after, old, plain_text):
        assert difference(content, TURNED[6]) == 0
    assert difference(png(QUARTERS, 8, 0, chunk(b"tEXt", name + b"\nexif\n 4\nzz")), QUARTERS) == 0


def test_tiff_turns_once():
    tags = grey_tags(*QUARTERS.shape, 8, t274=(3, [6]), t282=(10, [-1, 0]), t34665=(4, [8]))
    for order in "<>":
        assert difference(tiff(tags, QUARTERS.tobytes(), order), TURNED[6]) == 0
    squeezed = encoded(PICTURE.convert("L"), "TIFF", compression="tiff_lzw", tiffinfo={274: 6})
    assert difference(squeezed, TURNED[6]) == 0


def test_webp_with_the_name_of_exif_inside_the_block():
    plain = encoded(PICTURE, "WEBP", lossless=True, exif=exif(SIX))
    assert difference(plain, TURNED[6]) < 3
    broken = encoded(PICTURE, "WEBP", lossless=True, exif=b"Exif\0\0II*\0garbage")
    assert difference(broken, QUARTERS) < 3


def test_a_damaged_profile_or_check_sum_of_metadata_loses_no_photograph():
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(5 << 20)))
    wrong = chunk(b"tEXt", b"Title\0x")[:-4] + b"\0\0\0\0"
    assert difference(png(QUARTERS, 8, 0, profile, wrong), QUARTERS) == 0
    for name in (
        b"ICC_PROFILE\0\1\2",
        b"MPF\0II*\0\xff\xff\xff\xff",
        b"Photoshop 3.0\x008BIM\4\x04",
    ):
        for code in (0xE2, 0xED):
            block = name + bytes(40)
            head = bytes([0xFF, code]) + struct.pack(">H", len(block) + 2)
            assert difference(JPEG[:2] + head + block + JPEG[2:], QUARTERS) < 8


def test_phone_photographs_of_several_images_give_the_first():
    frames = [PICTURE, Image.new("RGB", (48, 32), 200)]
    content = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:], quality=95)
    assert difference(content, QUARTERS) < 8
    assert difference(JPEG + encoded(frames[1], "JPEG"), QUARTERS) < 8
    with Image.open(BytesIO(content)) as image:
        assert image.format == "MPO"
