"""Bounds of memory and time for one image file."""

from typing import Any

MAX_FILE = 400_000_000  # bytes; a file is read as a whole
MAX_PIXELS = 100_000_000
MAX_SIDE = 65_535  # pixels, as in a JPEG
MAX_MEMORY = 800_000_000  # bytes at the peak of decoding, beside the file itself
MAX_SCAN_PIXELS = 2_000_000_000  # pixels times scans of a JPEG: each scan passes over all of them
MAX_PIECES = 200_000  # strips and tiles of a TIFF, chunks of a PNG, blocks before a GIF's image
MAX_PYTHON = 8_000_000  # samples for decoders of Pillow that are written in Python: 1 us each
# Bytes per pixel that decoders use beside the decoded image, measured.
CODEC = {"WEBP": 16, "AVIF": 10, "HEIF": 10, "JPEG2000": 28}
ONE_BYTE = ("1", "L", "P")


class Unreadable(ValueError):
    """Image that cannot be used; the text is the reason, which a run records."""


def check_size(image: Any, *, scans: int, sample_bytes: int) -> None:
    """Raise `Unreadable` for an opened Pillow image that would take too much memory or time.

    `scans` are those of a JPEG; `sample_bytes` is the size of a pixel in the file, which a strip
    of a TIFF may hold for all pixels.
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
    samples = pixels * len(image.getbands())
    if samples > MAX_PYTHON and any(tile[0] in Image.DECODERS for tile in image.tile):
        raise Unreadable(
            f"{width} x {height} pixels of {image.format} in a form that is decoded slowly: at "
            f"most {MAX_PYTHON:,} values are; convert it to PNG"
        )
