"""Pillow images of any mode as 8-bit RGB or grey.

See `salix.data.decode` for the table of ranges. Images are converted in strips, so that the copies
in wider types are small.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from salix.data import tiff_tags
from salix.data.bounds import Unreadable
from salix.data.metadata import Picture

STRIP = 1 << 21  # pixels that are converted at a time
DARK = 16  # levels; a wide image whose maximum is below would come out as black
FULL_RANGES = {2**bits - 1 for bits in range(8, 17)}
SAVE = "save it with 8 bits"


def to_8_bit(image: Any, picture: Picture) -> Any:
    """Return a loaded Pillow image as RGB or 8-bit grey; raises `Unreadable`."""
    if image.mode[0] in "IF":
        return _wide_to_grey(image, picture)
    if image.mode == "L" and _tag(picture, tiff_tags.SAMPLE_FORMAT) == 2:
        raise Unreadable(f"signed 8-bit values: {SAVE}, unsigned")
    if picture.key:
        return _without_key(image, picture)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = _over_white(image)
    elif image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    if max(picture.depth, _tag(picture, tiff_tags.BITS)) > 8:
        _refuse_dark(image, picture)
    return image


def _wide_to_grey(image: Any, picture: Picture) -> Any:
    """Scale 16-bit, 32-bit or real grey by the top of its range, rounded half to even."""
    low, high = np.inf, -np.inf
    for _, values in _strips(image):
        if not np.isfinite(values).all():
            raise Unreadable("pixels that are not finite")
        low, high = min(low, values.min()), max(high, values.max())
    top = _top(image, picture, float(low), float(high))
    inverted = _tag(picture, tiff_tags.PHOTOMETRIC) == 0  # the least value is white

    def scale(values: np.ndarray) -> np.ndarray:
        levels = np.clip(np.rint(values.astype(np.float64) / top * 255), 0, 255).astype(np.uint8)
        levels = 255 - levels if inverted else levels
        return np.where(values == picture.key[0], np.uint8(255), levels) if picture.key else levels

    return _converted(image, "L", scale)


def _top(image: Any, picture: Picture, low: float, high: float) -> float:
    """Return the value that becomes 255: as declared, of the type, or the least range that fits."""
    what = "real" if image.mode == "F" else "16-bit" if "16" in image.mode else "integer"
    if low < 0:
        raise Unreadable(f"negative values, down to {low:g}: expected a range from 0; {SAVE}")
    declared = _declared_top(picture)
    bits, signed = _tag(picture, tiff_tags.BITS), _tag(picture, tiff_tags.SAMPLE_FORMAT) == 2
    if declared is not None:
        tops = [declared]
    elif image.mode.startswith("I;16") or (image.mode == "I" and image.format != "TIFF"):
        tops = [2.0 ** (bits if bits > 0 else 16) - 1]
    elif bits == 16:
        tops = [2.0 ** (16 - signed) - 1]
    else:
        tops = [1.0, 255.0, 65535.0] if image.mode == "F" else [255.0, 65535.0]
    top = next((t for t in tops if high <= t), None)
    if top is None:
        expected = " or ".join(f"{t:g}" for t in tops)
        raise Unreadable(f"{what} values up to {high:g}: expected a maximum of {expected}; {SAVE}")
    if 0 < high * 255 / top < DARK:
        raise Unreadable(
            f"{what} values up to {high:g} of a range to {top:g}, nearly black: if their range is "
            f"smaller, {SAVE}, or a TIFF with its maximum in the tag MaxSampleValue"
        )
    return top


def _refuse_dark(image: Any, picture: Picture) -> None:
    """Raise `Unreadable` for 16-bit colour that uses only the lowest levels of its range."""
    extrema = image.getextrema()
    high = max(e[1] for e in extrema) if isinstance(extrema[0], tuple) else extrema[1]
    declared = _declared_top(picture)
    if 0 < high < DARK or (declared or 65535) < 65535:
        raise Unreadable(
            f"16-bit colour of levels up to {high} of 255 by their high bytes: if the range is "
            f"smaller than 16 bits, {SAVE}"
        )


def _over_white(image: Any) -> Any:
    from PIL import Image

    def composite(part: Any) -> Any:
        rgba = part.convert("RGBA") if part.mode != "La" else part.convert("LA").convert("RGBA")
        if rgba.getextrema()[3][0] == 255:
            return rgba.convert("RGB")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")

    result = Image.new("RGB", image.size)
    for box, part in _parts(image):
        result.paste(composite(part), box)
    return result


def _without_key(image: Any, picture: Picture) -> Any:
    """Return a grey or RGB image of a PNG, white where it has the transparent colour.

    Colours of 16 bits are compared by their high bytes.
    """
    depth = picture.depth
    key = [k >> 8 if depth > 8 else k * 255 // (2**depth - 1) for k in picture.key]
    image = image.convert("L") if image.mode == "1" else image

    def fill(levels: np.ndarray) -> np.ndarray:
        same = (levels == np.array(key, np.uint8)).all(-1) if levels.ndim == 3 else levels == key[0]
        levels = levels.copy()
        levels[same] = 255
        return levels

    return _converted(image, image.mode, fill)


def _converted(image: Any, mode: str, convert: Callable[[np.ndarray], np.ndarray]) -> Any:
    """Return the image whose strips are those of `image` converted."""
    from PIL import Image

    result = Image.new(mode, image.size)
    for box, values in _strips(image):
        result.paste(Image.fromarray(convert(values)), box)
    return result


def _strips(image: Any) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """Yield the place and the values of each strip of an image."""
    for box, part in _parts(image):
        yield box, np.asarray(part)


def _parts(image: Any) -> Iterator[tuple[tuple[int, int], Any]]:
    """Yield the place of each strip of an image, and the strip."""
    rows = max(1, STRIP // image.width)
    for y in range(0, image.height, rows):
        yield (0, y), image.crop((0, y, image.width, min(y + rows, image.height)))


def _declared_top(picture: Picture) -> float | None:
    """Return the maximum that a TIFF declares where it is that of a number of bits, else None."""
    values = (_tag(picture, tag) for tag in (tiff_tags.SAMPLE_MAXIMUM, tiff_tags.MAXIMUM))
    return next((v for v in values if v in FULL_RANGES), None)


def _tag(picture: Picture, tag: int) -> float:
    """Return the first value of a tag of a TIFF, -1 where it is not given."""
    return picture.tags.get(tag, (-1,))[0]
