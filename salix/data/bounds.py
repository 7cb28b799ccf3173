"""Bounds of memory and time for one image file."""

from typing import Any

MAX_FILE = 400_000_000  # bytes; a file is read as a whole
MAX_PIXELS = 100_000_000
MAX_SIDE = 65_535  # pixels, as in a JPEG
MAX_MEMORY = 800_000_000  # bytes at the peak of decoding, beside the file itself
MAX_SCAN_PIXELS = 2_000_000_000  # pixels times scans of a JPEG: each scan passes over all of them
MAX_PIECES = 500_000  # strips and tiles of a TIFF, chunks of a PNG or WebP, segments of a JPEG
MAX_PYTHON = 4_000_000  # samples, and 8 times the bytes, where Pillow decodes in Python: 1 us each
# Bytes per pixel that decoders use beside the decoded image, measured.
CODEC = {"WEBP": 16, "AVIF": 8, "HEIF": 8, "JPEG2000": 12}
ONE_BYTE = ("1", "L", "P")


class Unreadable(ValueError):
    """Image that cannot be used; the text is the reason, which a run records."""


def check_size(image: Any, *, size: int, scans: int, sample_bytes: int) -> None:
    """Raise `Unreadable` for an opened Pillow image that would take too much memory or time.

    `size` is that of the file; `scans` are those of a JPEG; `sample_bytes` is the size of a pixel
    in a TIFF, a strip of which may hold all of them.
    """
    from PIL import Image

    width, height = image.size
    pixels = width * height
    if pixels > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise Unreadable(
            f"{width} x {height} pixels: at most {MAX_PIXELS:,} and {MAX_SIDE:,} a side are decoded"
        )
    decoded = 1 if image.mode in ONE_BYTE else 2 if image.mode.startswith("I;16") else 4
    result = 1 if image.mode in ("1", "L") or image.mode[0] in "IF" else 4
    codec = CODEC.get(image.format, sample_bytes)
    if image.format in ("JPEG", "MPO"):
        # Coefficients of all components are kept between scans.
        codec = 2 * len(image.getbands()) if scans > 1 else 0
    if (memory := pixels * (decoded + result + codec)) > MAX_MEMORY:
        raise Unreadable(
            f"{width} x {height} pixels of {image.format} take {memory / 1e6:,.0f} MB to decode: "
            f"at most {MAX_MEMORY / 1e6:,.0f} MB are used"
        )
    if pixels * scans > MAX_SCAN_PIXELS:
        raise Unreadable(
            f"{width} x {height} pixels in {scans:,} scans: at most "
            f"{max(1, MAX_SCAN_PIXELS // pixels)} scans of so many pixels are decoded"
        )
    slow = any(tile[0] in Image.DECODERS for tile in image.tile)
    samples = pixels * len(image.getbands())
    if slow and (samples > MAX_PYTHON or size > 8 * samples + (1 << 20)):
        raise Unreadable(
            f"{width} x {height} pixels in {size:,} bytes of a form of {image.format} that Pillow "
            f"decodes slowly: at most {MAX_PYTHON:,} values are decoded; convert it to PNG"
        )
