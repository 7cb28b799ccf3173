"""Decoding of image files to 8-bit pixels, and fitting to a model's size.

The same for every source: the first frame, turned by the orientation of EXIF alone, RGB or grey.

| in the file | becomes |
|---|---|
| up to 8 bits: grey, RGB, palette, YCbCr, LAB, HSV | the same; 1 to 4 bits are scaled to 255 |
| CMYK, also with Adobe's inverted inks | RGB by the plain formula, without colour profiles |
| alpha, premultiplied alpha, transparent palette entries | composited over white |
| a transparent colour of a PNG (tRNS) | white; 16-bit RGB is compared by high bytes |
| 16-bit colour | its high byte; refused if no level reaches 16 of 255 |
| 16-bit grey | 65535 becomes 255 (signed: 32767); 12 packed bits: 4095 |
| 16-bit grey with (S)MaxSampleValue 255, 511, ... or 65535 in a TIFF | that value becomes 255 |
| 32-bit integer grey | 255 becomes 255; 65535 does if a value is above 255 |
| real grey | 1 becomes 255; else 255 does; else 65535, the least that no value exceeds |
| grey whose least value is white (TIFF) | inverted after scaling |
| wide grey with a maximum below 16 of 255 by these rules | refused as nearly black, unless zero |
| negative, infinite or NaN values, signed 8 bits, above the range | refused |

Wide values are rounded to the nearest level. What is refused is a row in `skipped` with the reason.
A file takes at most 800 MB beside its own bytes while it is decoded, see `salix.data.bounds`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from salix.data.bounds import Unreadable, check_size
from salix.data.fitted import FittedPixels, is_fitted
from salix.data.foreign_formats import describe_foreign
from salix.data.levels import to_8_bit
from salix.data.metadata import Picture, without_metadata
from salix.data.regular_file import read_file
from salix.data.tiff_tags import BITS, SAMPLES, orientation
from salix.data.url import Url
from salix.preprocess import Preprocess
from salix.typing import Pixels

# Pillow's names of the formats that are opened, with their suffixes. Each is decoded in this
# process from the file's own bytes. Left out: EPS, which runs Ghostscript; IPTC and SPIDER, which
# open an image inside by any plugin; WMF, EMF, GRIB, BUFR and HDF5, which call handlers of other
# packages; FPX and MIC, containers of OLE; FITS, which unpacks gzip without bound; PDF, which is
# written only; and formats of icons, textures and programs of the past, which no data set has: each
# parser more is one more to attack. TGA is last: it has no signature.
FORMATS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "JPEG": ("jpg", "jpeg", "jpe", "jfif"),
        "MPO": ("mpo",),  # JPEGs in a row, of phones and stereo cameras
        "PNG": ("png", "apng"),
        "WEBP": ("webp",),
        "GIF": ("gif",),
        "TIFF": ("tif", "tiff"),
        "BMP": ("bmp",),
        "DIB": ("dib",),
        "AVIF": ("avif",),
        "HEIF": ("heic", "heif", "hif"),  # only where pillow-heif or pi-heif is installed
        "JPEG2000": ("jp2", "j2k", "j2c", "jpc", "jpf", "jpx"),
        "PPM": ("ppm", "pgm", "pbm", "pnm", "pfm"),
        "QOI": ("qoi",),
        "TGA": ("tga",),
    }
)
HEIF_PLUGINS = ("pillow_heif", "pi_heif")
# Turns of Pillow that undo an orientation of EXIF; 1 is upright.
TURNS = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE"}
TURNS |= {6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90"}
# Contents of the files that are decoded, where somebody collects them.
CONTENTS: ContextVar[list[bytes] | None] = ContextVar("contents", default=None)


def decode(file: Path | Url | bytes) -> Any:
    """Decode an image file to an RGB or 8-bit grey Pillow image; raises `Unreadable`."""
    from PIL import Image

    content = file if isinstance(file, bytes) else read_file(file)
    if not content:
        raise Unreadable("empty file")
    if (contents := CONTENTS.get()) is not None:
        contents.append(content)
    try:
        picture = without_metadata(content)
        with Image.open(BytesIO(picture.content), formats=available_formats()) as image:
            check_size(
                image,
                size=len(content),
                scans=picture.scans,
                sample_bytes=_sample_bytes(picture),
            )
            turned = picture.orientation
            if image.format == "AVIF":  # which Pillow derives from the rotation in the file
                turned = orientation(image.info.get("exif", b""))
            image.load()
            image = to_8_bit(image, picture)
        return image.transpose(Image.Transpose[TURNS[turned]]) if turned in TURNS else image
    except (Unreadable, MemoryError):
        raise
    except Image.UnidentifiedImageError:
        raise Unreadable(describe_foreign(content, opened=available_formats())) from None
    # A hostile file can raise nearly anything inside a decoder; one image must not end a run.
    except Exception as error:
        raise Unreadable(f"{type(error).__name__}: {error}"[:200]) from None


@contextmanager
def recorded_contents() -> Iterator[list[bytes]]:
    """Collect the contents of the files that this thread decodes meanwhile."""
    contents: list[bytes] = []
    token = CONTENTS.set(contents)
    try:
        yield contents
    finally:
        CONTENTS.reset(token)


def _sample_bytes(picture: Picture) -> int:
    """Return the bytes of one pixel in a TIFF file, which a strip may hold of all of them."""
    bits = picture.tags.get(BITS, (0,))
    return int(max(bits) * max(len(bits), picture.tags.get(SAMPLES, (1,))[0]) + 7) // 8


def suffixes() -> tuple[str, ...]:
    """Return the suffixes of the formats that are opened, in lower case, without the dot.

    Those of HEIF are among them where a plugin of Pillow for it is installed.
    """
    heif = any(map(find_spec, HEIF_PLUGINS))
    return tuple(s for name, of in FORMATS.items() if heif or name != "HEIF" for s in of)


@cache
def available_formats() -> tuple[str, ...]:
    """Return the formats of `FORMATS` that this Pillow and its plugins can open."""
    from PIL import Image

    Image.init()
    for plugin in HEIF_PLUGINS:
        with suppress(ImportError):
            import_module(plugin).register_heif_opener()
            break
    return tuple(name for name in FORMATS if name in Image.OPEN)


def fit(image: Any, to: Preprocess) -> Pixels:
    """Resize a Pillow image or 8-bit array [h w] or [h w c] to the size and channels of `to`.

    Raises `Unreadable` for an array that is not an 8-bit image, `InputError` for pixels that were
    fitted to another geometry.
    """
    if isinstance(image, FittedPixels) and is_fitted(image):
        return image.as_inputs_of(to)
    if not isinstance(image, np.ndarray):
        return to.on_host(image)
    if image.dtype == np.uint8 and image.shape == (*to.size, to.channels) and to.resize is None:
        return np.asarray(image)
    return to.on_host(to_pillow(image))


def to_pillow(image: Any) -> Any:
    """Return a Pillow image as it is, and an 8-bit array [h w] or [h w c] as one.

    Raises `Unreadable` for an array that is not an 8-bit image.
    """
    from PIL import Image

    if not isinstance(image, np.ndarray):
        return image
    if image.dtype != np.uint8:
        raise Unreadable(f"pixels of type {image.dtype}, expected uint8")
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    if image.size == 0 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[-1] == 3)):
        raise Unreadable(f"pixels of shape {image.shape}, expected [h w], [h w 1] or [h w 3]")
    return Image.fromarray(image)
