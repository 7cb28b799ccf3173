"""Decoding of image files to 8-bit pixels, and fitting to a model's size.

The same for every source: the first frame of an animation; EXIF rotation applied; alpha composited
over white; CMYK and palettes as RGB; 16 and 32-bit grey scaled by its full range (65535 to 255),
not clipped; antialiased resizing.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from salix.data.foreign_formats import describe_foreign
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
MAX_PIXELS = 100_000_000  # a larger image is refused: it may be a decompression bomb


class Unreadable(ValueError):
    """Image that cannot be used; the text is the reason, which a run records."""


def decode(file: Path | bytes) -> Any:
    """Decode an image file to an RGB or 8-bit grey Pillow image; raises `Unreadable`."""
    from PIL import Image, ImageOps

    content = file.read_bytes() if isinstance(file, Path) else file
    if not content:
        raise Unreadable("empty file")
    try:
        with Image.open(BytesIO(content), formats=_available_formats()) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Unreadable(f"{image.width} x {image.height} pixels, over {MAX_PIXELS:,}")
            image.load()
            return _to_8_bit(ImageOps.exif_transpose(image))
    except Unreadable:
        raise
    except Image.UnidentifiedImageError:
        raise Unreadable(describe_foreign(content)) from None
    except MemoryError:
        raise
    # A hostile file can raise nearly anything inside a decoder; one image must not end a run.
    except Exception as error:
        raise Unreadable(f"{type(error).__name__}: {error}"[:200]) from None


def suffixes() -> tuple[str, ...]:
    """Return the suffixes of the formats that are opened, in lower case, without the dot.

    Those of HEIF are among them where a plugin of Pillow for it is installed.
    """
    heif = any(map(find_spec, HEIF_PLUGINS))
    return tuple(s for name, of in FORMATS.items() if heif or name != "HEIF" for s in of)


@cache
def _available_formats() -> tuple[str, ...]:
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

    Raises `Unreadable` for an array that is not an 8-bit image.
    """
    return to.on_host(_from_array(image) if isinstance(image, np.ndarray) else image)


def _to_8_bit(image: Any) -> Any:
    from PIL import Image

    if image.mode.startswith(("I", "F")):  # 16-bit and wider grey, which Pillow would clip
        values = np.asarray(image).astype(np.float64)
        if not np.isfinite(values).all():
            raise Unreadable("pixels that are not finite")
        top = 1.0 if image.mode == "F" and values.max(initial=0) <= 1 else 65535.0
        return Image.fromarray(np.clip(np.rint(values / top * 255), 0, 255).astype(np.uint8))
    if image.mode in ("L", "RGB"):
        return image
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _from_array(array: np.ndarray) -> Any:
    from PIL import Image

    if array.dtype != np.uint8:
        raise Unreadable(f"pixels of type {array.dtype}, expected uint8")
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[-1] == 3)):
        raise Unreadable(f"pixels of shape {array.shape}, expected [h w], [h w 1] or [h w 3]")
    return Image.fromarray(array)
