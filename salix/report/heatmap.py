"""Maps as pictures in one colour scale, photographs, and outlines of reference masks."""

from base64 import b64encode
from io import BytesIO
from typing import Any

import numpy as np

from salix.plot.colours import colours

STORED = ("JPEG", "PNG")  # formats of the pictures in a run: no other is opened
LONGEST = 160  # pixels of an embedded photograph; a larger one is reduced
SMOOTH = 64  # pixels of a smoothed map: enough for any screen, as it has no finer detail


def scale_stops(count: int = 9) -> list[tuple[str, str]]:
    """Return (position, colour) along the scale, for the colour bar."""
    picks = np.linspace(0, 255, count).round().astype(int)
    return [(f"{100 * i / 255:.1f}%", "#%02x%02x%02x" % tuple(colours()[i])) for i in picks]  # noqa: UP031


def pixelated(map: np.ndarray) -> str:
    """Draw a map [h w] of 8-bit values, pixel by pixel, as a data address."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(map, np.uint8))
    # A few pixels are smaller as colours than as indices of a colour table of 768 bytes.
    if image.width * image.height < 256:
        return data_address(Image.fromarray(colours()[map]), "PNG")
    image.putpalette(colours().tobytes())
    return data_address(image, "PNG")


def smooth(map: np.ndarray) -> str:
    """Draw a map [h w] enlarged bicubically to `SMOOTH` pixels; a larger one unchanged."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(map, np.uint8))
    ratio = SMOOTH / max(image.size)
    if ratio > 1:
        size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
        image = image.resize(size, Image.Resampling.BICUBIC)
    return pixelated(np.asarray(image))


def mean_picture(mean: np.ndarray, top: float) -> str:
    """Draw a mean map [h w] of real values; the brightest colour is `top`."""
    return smooth(np.rint(mean * 255 / top).astype(np.uint8))


def photograph(data: bytes | None) -> tuple[str, tuple[int, int]] | None:
    """Return a kept picture as a data address with its size; None if it cannot be read.

    It is decoded and encoded again: only the pixels of a file reach the page.
    """
    from PIL import Image

    if data is None:
        return None
    try:
        with Image.open(BytesIO(data), formats=STORED) as image:
            image.thumbnail((LONGEST, LONGEST))
            image = image.convert("L" if image.mode in ("1", "L", "I;16") else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return data_address(image, "JPEG", quality=90), image.size


def data_address(image: Any, format: str, **options: Any) -> str:
    """Return a picture of Pillow as a data address, in PNG or JPEG."""
    buffer = BytesIO()
    image.save(buffer, format, optimize=True, **options)
    return f"data:image/{format.lower()};base64,{b64encode(buffer.getvalue()).decode()}"


def mask_share(reference_mask: bytes | None) -> float | None:
    """Return the mean of a reference mask in [0, 1]: the share of the image that it marks."""
    region = _decode_mask(reference_mask)
    return None if region is None else float(region.mean())


def mask_outline(reference_mask: bytes | None, size: tuple[int, int]) -> str:
    """Return the SVG path around the half level of a mask, stretched over a picture of `size`."""
    region = _decode_mask(reference_mask)
    return "" if region is None else outline(region, size)


def outline(region: np.ndarray, size: tuple[int, int]) -> str:
    """Return the SVG path around the half level of a region [h w], over a picture of `size`."""
    from skimage.measure import approximate_polygon, find_contours

    h, w = region.shape
    step = np.array([size[1] / h, size[0] / w])
    path = []
    # A margin of zeros closes the path of a region that reaches the edge.
    for line in find_contours(np.pad(region, 1), 0.5):
        points = approximate_polygon((line - 0.5) * step, 0.35)[:, ::-1]
        points = np.clip(points, 0.5, np.array(size) - 0.5)
        path.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points[:-1]) + "Z")
    return "".join(path)


def _decode_mask(reference_mask: bytes | None) -> np.ndarray | None:
    from PIL import Image

    if reference_mask is None:
        return None
    try:
        with Image.open(BytesIO(reference_mask), formats=STORED) as image:
            region = np.asarray(image.convert("L"), np.float64) / 255
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return region if region.any() else None
