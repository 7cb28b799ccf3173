"""Damaged image files: an image or a reason, whatever the bytes."""

from random import Random

import numpy as np
import pytest
from PIL import Image, features

from salix.data.decode import Unreadable, decode
from tests.data.image_files import encoded, exif, grey_tiff

PHOTO = Image.effect_noise((40, 30), 60).convert("RGB")
BLOCK = exif({274: (3, [6])})
INTACT = [
    encoded(PHOTO, "JPEG", exif=BLOCK),
    encoded(PHOTO, "JPEG", progressive=True),
    encoded(PHOTO, "MPO", save_all=True, append_images=[PHOTO]),
    encoded(PHOTO, "PNG", exif=BLOCK),
    encoded(PHOTO.convert("P"), "PNG", transparency=3),
    encoded(PHOTO, "PNG", save_all=True, append_images=[PHOTO.rotate(9)]),
    encoded(PHOTO, "WEBP", exif=BLOCK),
    encoded(PHOTO, "WEBP", save_all=True, append_images=[PHOTO.rotate(9)]),
    encoded(PHOTO, "GIF", save_all=True, append_images=[PHOTO.rotate(9)]),
    encoded(PHOTO, "TIFF"),
    encoded(PHOTO, "TIFF", compression="tiff_lzw"),
    encoded(PHOTO, "TIFF", compression="tiff_adobe_deflate", big_tiff=True),
    encoded(PHOTO, "TIFF", compression="jpeg"),
    encoded(PHOTO.convert("1"), "TIFF", compression="group4"),
    grey_tiff(np.arange(120, dtype=np.float32).reshape(10, 12)),
    encoded(PHOTO, "JPEG2000"),
    encoded(PHOTO, "BMP"),
    encoded(PHOTO, "PPM"),
    encoded(PHOTO, "TGA", compression="tga_rle"),
    encoded(PHOTO, "QOI"),
    b"P3\n4 4\n255\n" + b"7 " * 48,
]
if features.check("avif"):
    INTACT.append(encoded(PHOTO, "AVIF", exif=BLOCK))


def damage(content: bytes, random: Random) -> bytes:
    """Change, remove, insert or cut bytes, half of the times near the start."""
    changed = bytearray(content)
    for _ in range(random.choice([1, 1, 2, 4, 16])):
        kind = random.random()
        at = random.randrange(min(len(changed), 64) if random.random() < 0.5 else len(changed))
        if kind < 0.6:
            changed[at] = random.randrange(256)
        elif kind < 0.75:
            del changed[at : at + random.randrange(1, 40)]
        elif kind < 0.9:
            changed[at:at] = bytes(random.choice([0, 255, 7]) for _ in range(random.randrange(30)))
        else:
            del changed[at + 1 :]
        changed = changed or bytearray(b"x")
    return bytes(changed)


@pytest.mark.parametrize(
    ("seed", "count"), [(0, 300), pytest.param(1, 4000, marks=pytest.mark.slow)]
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_damaged_files_give_an_image_or_a_reason(seed, count):
    random = Random(seed)
    decoded = 0
    for _ in range(count):
        try:
            image = decode(damage(random.choice(INTACT), random))
        except Unreadable:
            continue
        assert image.mode in ("L", "RGB")
        decoded += 1
    assert count / 10 < decoded < count / 2


def test_intact_files_give_an_image():
    assert {decode(content).mode for content in INTACT} == {"L", "RGB"}
