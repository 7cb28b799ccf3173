"""Decoding of image files to 8-bit pixels, and fitting to a model's size.

The same for every source: the first frame of an animation; EXIF rotation applied; alpha composited
over white; CMYK and palettes as RGB; 16 and 32-bit grey scaled by its full range (65535 to 255),
not clipped; antialiased resizing.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from salix.preprocess import Preprocess
from salix.typing import Pixels

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
        with Image.open(BytesIO(content)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Unreadable(f"{image.width} x {image.height} pixels, over {MAX_PIXELS:,}")
            image.load()
            return _to_8_bit(ImageOps.exif_transpose(image))
    except Unreadable:
        raise
    except Image.UnidentifiedImageError:
        raise Unreadable("not an image of a known format") from None
    except MemoryError:
        raise
    # A hostile file can raise nearly anything inside a decoder; one image must not end a run.
    except Exception as error:
        raise Unreadable(f"{type(error).__name__}: {error}"[:200]) from None


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
