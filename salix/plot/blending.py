"""Pixels of a map blended over its image."""

from typing import Any

import numpy as np
from jaxtyping import Num, UInt8

from salix.plot.colours import colours
from salix.typing import AnyArray, InputError


def blend(
    image: Num[AnyArray, "h w *c"],
    map: Num[AnyArray, "*grid"],
    *,
    opacity: float = 0.5,
) -> UInt8[np.ndarray, "h w 3"]:
    """Return an image with a map over it in the colours of the report, as 8-bit RGB pixels.

    `image` has 8-bit pixels [h w], [h w 1] or [h w 3]. The map [y x] is scaled to [0, 1] by its own
    least and greatest value (a constant map is zero) and enlarged bicubically to the image;
    `opacity` in [0, 1] is its share of each pixel. Raises `InputError` for other shapes and types,
    and for values that are not finite.
    """
    from PIL import Image

    pixels, values = np.asarray(image), np.asarray(map, np.float64)
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    grey = pixels.ndim == 2
    if pixels.dtype != np.uint8 or not (grey or (pixels.ndim == 3 and pixels.shape[-1] == 3)):
        raise InputError(
            f"an image of type {pixels.dtype} and shape {pixels.shape} cannot be drawn on: "
            "give 8-bit pixels [h w], [h w 1] or [h w 3]"
        )
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise InputError(f"a map of shape {values.shape} cannot be drawn: give finite values [y x]")
    if not 0 <= opacity <= 1:
        raise InputError(f"opacity is {opacity}: give 0 (the image alone) to 1 (the map alone)")
    span = np.ptp(values)
    scaled = (values - values.min()) / span if span > 0 else np.zeros_like(values)
    enlarged = _enlarge(Image.fromarray(scaled.astype(np.float32)), pixels.shape[:2])
    levels = np.rint(np.clip(enlarged, 0, 1) * 255).astype(np.uint8)
    under = (np.repeat(pixels[..., None], 3, -1) if grey else pixels).astype(np.float64)
    return np.rint((1 - opacity) * under + opacity * colours()[levels]).astype(np.uint8)


def _enlarge(map: Any, shape: tuple[int, ...]) -> np.ndarray:
    from PIL import Image

    return np.asarray(map.resize(shape[::-1], Image.Resampling.BICUBIC))
