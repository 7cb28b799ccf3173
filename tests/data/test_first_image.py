"""Files of many images, tags and texts: the first image alone is touched."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from salix.data.decode import decode
from tests.data.image_files import chunk, encoded, gif_with, grey_tags, png, tiff

SMALL = np.full((8, 8), 50, np.uint8)
FRAMES = 20_000


def looped() -> bytes:
    """Return a TIFF whose second directory is its first."""
    content = bytearray(tiff(grey_tags(8, 8, 8), SMALL.tobytes()))
    content[-4:] = content[4:8]
    return bytes(content)


def many_directories() -> bytes:
    content = tiff(grey_tags(8, 8, 8), SMALL.tobytes())
    start = struct.unpack_from("<I", content, 4)[0]
    directory = content[start:-4]
    step = len(directory) + 4
    starts = range(start + step, start + (FRAMES + 1) * step, step)
    return content[:start] + b"".join(directory + struct.pack("<I", s) for s in starts) + b"\0\0"


def repeated_tags() -> bytes:
    """Return a TIFF with thousands of tags of the same megabytes: gigabytes if all were read."""
    tags = grey_tags(8, 8, 8) | {40_000 + k: (4, [0]) for k in range(2_000)}
    content = bytearray(tiff(tags, SMALL.tobytes() + bytes(8 << 20)))
    start = struct.unpack_from("<I", content, 4)[0]
    for at in range(start + 2, len(content) - 4, 12):
        if struct.unpack_from("<H", content, at)[0] >= 40_000:
            struct.pack_into("<HII", content, at + 2, 7, 8 << 20, 8)
    return bytes(content)


def animation_of_png() -> bytes:
    head = chunk(b"acTL", struct.pack(">II", FRAMES, 0))
    data = zlib.compress(bytes(72))
    later = b"".join(
        chunk(b"fcTL", struct.pack(">IIIIIHHBB", 2 * k, 8, 8, 0, 0, 1, 10, 0, 0))
        + chunk(b"fdAT", struct.pack(">I", 2 * k + 1) + data)
        for k in range(FRAMES)
    )
    content = png(SMALL, 8, 0, head)
    return content[:-12] + later + content[-12:]


def animation_of_webp() -> bytes:
    frames = [Image.new("RGB", (8, 8), (k, k, k)) for k in (50, 99, 180)]
    content = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    start = content.index(b"ANMF")
    frame = content[start : start + 8 + struct.unpack_from("<I", content, start + 4)[0]]
    body = content[8:start] + frame * FRAMES
    return b"RIFF" + struct.pack("<I", len(body)) + body


def animation_of_gif() -> bytes:
    content = encoded(Image.fromarray(SMALL), "GIF")
    start = 13 + 3 * 2 ** ((content[10] & 7) + 1)
    return content[:start] + content[start:-1] * FRAMES + b";"


TEXT = b"".join(chunk(b"zTXt", b"k%d\0\0" % k + zlib.compress(bytes(900_000))) for k in range(100))
PROFILE = zlib.compress(bytes(50_000_000), 9)
DECODED = {
    "TIFF in a loop": looped,
    "TIFF of many directories": many_directories,
    "TIFF of repeated tags": repeated_tags,
    "APNG": animation_of_png,
    "WebP": animation_of_webp,
    "GIF": animation_of_gif,
    "GIF with a long comment": lambda: gif_with(b"!\xfe" + b"\xff" + b"x" * 255 + b"\0"),
    "PNG with text of 90 MB": lambda: png(SMALL, 8, 0, TEXT),
    "PNG with a profile of 50 MB": lambda: png(SMALL, 8, 0, chunk(b"iCCP", b"x\0\0" + PROFILE)),
    "PNG with text that expands": lambda: png(
        SMALL, 8, 0, chunk(b"iTXt", b"k\0\1\0\0\0" + PROFILE)
    ),
    "PNG with excess pixels": lambda: png(SMALL, 8, 0) + PROFILE,
}


@pytest.mark.parametrize("what", DECODED)
def test_only_the_first_image_is_touched(what):
    np.testing.assert_array_equal(np.asarray(decode(DECODED[what]()).convert("L")), SMALL)
