"""Files that would take memory or time without bound: refused with the reason."""

import struct
import sys
import zlib
from pathlib import Path
from subprocess import run

import numpy as np
import pytest
from PIL import Image

from salix.data.bounds import MAX_FILE
from salix.data.decode import Unreadable, decode
from tests.data.image_files import chunk, encoded, gif_with, grey_tags, png, tiff

SMALL = np.full((8, 8), 50, np.uint8)


def stripped(height: int, width: int, bits: int, pieces: int = 1, **tags) -> bytes:
    """Return a TIFF of compressed zeros in distinct strips."""
    rows = -(-height // pieces)
    strip = zlib.compress(bytes(rows * width * bits // 8), 9)
    some = grey_tags(height, width, bits, 3 if bits == 32 else 1) | {
        259: (3, [8]), 273: (4, [8 + k * len(strip) for k in range(pieces)]), 278: (4, [rows]),
        279: (4, [len(strip)] * pieces),
    }  # fmt: skip
    return tiff(some | {int(t[1:]): v for t, v in tags.items()}, strip * pieces)


def scans(size: int, extra: int) -> bytes:
    content = encoded(Image.new("RGB", (size, size)), "JPEG", progressive=True)
    last = content.rfind(b"\xff\xda")
    return content[:-2] + content[last:-2] * extra + b"\xff\xd9"


def bitmap_of_runs(side: int) -> bytes:
    data = b"\1\0" * side * side + b"\0\1"
    head = struct.pack("<IHHI", 1078 + len(data), 0, 0, 1078)
    info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(data), 0, 0, 256, 0)
    return b"BM" + head + info + bytes(1024) + data


REFUSED = {
    "TIFF of 32 bits": (lambda: stripped(10_000, 10_000, 32, 100), "take 900 MB to decode"),
    "TIFF of 16-bit colour": (
        lambda: stripped(10_000, 10_000, 48, 100, t258=(3, [16] * 3), t262=(3, [2]),
                         t277=(3, [3]), t339=(3, [1] * 3)),
        "take 1,400 MB",
    ),
    "TIFF of one column": (lambda: stripped(90_000, 1, 8), "65,535 a side"),
    "TIFF of many strips": (
        lambda: tiff(grey_tags(600_000, 1, 8) | {273: (4, [8] * 600_000)}),
        "tag 273 has 600,000 values: over 500,000",
    ),
    "TIFF of strips longer than the file": (
        lambda: stripped(60_000, 4, 8, 60_000, t279=(4, [500_000_000] * 60_000)),
        "strips of 30,000,000,000,000 bytes",
    ),
    "TIFF of a huge tile": (
        lambda: tiff(grey_tags(16, 16, 8) | {
            259: (3, [8]), 322: (4, [30_000]), 323: (4, [30_000]), 324: (4, [8]), 325: (4, [9])
        }, zlib.compress(bytes(9))),
        "tiles of 30000 x 30000 pixels",
    ),
    "fax of 900 megapixels": (
        lambda: tiff(grey_tags(30_000, 30_000, 1) | {259: (3, [4]), 279: (4, [9])}, bytes(9)),
        "DecompressionBomb|at most 100,000,000",
    ),
    "scans of a JPEG": (lambda: scans(2000, 600), "in 6[01].* scans: at most 500 scans"),
    "progressive JPEG": (
        lambda: scans(32, 0).replace(struct.pack(">HH", 32, 32), struct.pack(">HH", 9000, 9000)),
        "take 1,134 MB",
    ),
    "segments of a JPEG": (
        lambda: b"\xff\xd8" + b"\xff\xfe\0\2" * 510_000 + encoded(Image.new("L", (8, 8)), "JPEG"),
        "JPEG of over 500,000 segments",
    ),
    "chunks of a PNG": (
        lambda: png(SMALL, 8, 0, chunk(b"IDAT", b"") * 510_000), "PNG of over 500,000 chunks"
    ),
    "blocks of a GIF": (
        lambda: gif_with(b"!\xfe" + b"\1x" * 2_100_000 + b"\0"), "2,000,000 blocks"
    ),
    "PNM without a size": (lambda: b"P6\n#" + b"x" * 70_000 + b"\n2 2\n255\n" + bytes(12), "PNM"),
    "PNM in decimals": (lambda: b"P3\n1400 1400\n255\n" + b"0 " * 5_880_000, "decodes slowly"),
    "comments of a PNM": (lambda: b"P3\n1 1\n255\n" + b"#\n" * 600_000 + b"0 0 0", "slowly"),
    "PNM of an odd maximum": (lambda: b"P5\n2100 2100\n9\n" + bytes(2100 * 2100), "slowly"),
    "runs of a BMP": (lambda: bitmap_of_runs(2100), "BMP that Pillow decodes slowly"),
    "WebP": (
        lambda: b"RIFF\x1a\0\0\0WEBPVP8L\r\0\0\0/\xff\xff\xc3\x0f" + bytes(9),
        "MB to decode|DecompressionBomb|pixels|could not create|OSError",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_files_without_bound_are_refused_with_a_reason(what):
    make, reason = REFUSED[what]
    with pytest.raises(Unreadable, match=reason):
        decode(make())


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    sparse = tmp_path / "huge.png"
    with sparse.open("wb") as file:
        file.truncate(MAX_FILE + 1)
    with pytest.raises(Unreadable, match="file of 400 MB: over 400 MB"):
        decode(sparse)


LARGE = {
    "grey of 16 bits": lambda: encoded(Image.new("I;16", (9000, 9000), 30_000)),
    "real TIFF": lambda: stripped(9000, 9000, 32, 90),
    "RGBA": lambda: encoded(Image.new("RGBA", (9000, 9000), (9, 9, 9, 9)), compress_level=1),
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory as on Linux")
@pytest.mark.parametrize("what", LARGE)
def test_the_peak_of_memory_is_bounded(tmp_path, what):
    """81 megapixels within 0.8 GB above the interpreter: 2 to 3 GB when copied as float64."""
    path = tmp_path / "large"
    path.write_bytes(LARGE[what]())
    code = (
        "import sys, resource; from pathlib import Path; from PIL import Image\n"
        "import salix.data.decode as d\nbefore = resource.getrusage(0).ru_maxrss\n"
        "size = d.decode(Path(sys.argv[1])).size\n"
        "print(size[0], (resource.getrusage(0).ru_maxrss - before) // 1024)"
    )
    done = run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True,
               cwd=Path(__file__).parents[2])  # fmt: skip
    width, megabytes = map(int, done.stdout.split())
    assert width == 9000
    assert megabytes < 800
