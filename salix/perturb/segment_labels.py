"""Label images of segments: stretching, Jaccard de-duplication and numbering over levels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Integer, UInt8, UInt16

from salix.typing import InputError

SIDE = 224  # pixels of a side of every label image
LabelLevels = UInt16[np.ndarray, "levels 224 224"]


def stretched(pixels: Any) -> UInt8[np.ndarray, "224 224 3"]:
    """Return an image [h w], [h w 1] or [h w 3] of 8 bits as RGB of 224 x 224, stretched.

    By Pillow's bicubic filter, antialiased. Raises `InputError` for another shape or type, such as
    an image with alpha: sources composite it over white.
    """
    from PIL import Image

    array = np.asarray(pixels)
    grey = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] == 1)
    if array.dtype != np.uint8 or 0 in array.shape or not (grey or array.shape[2:] == (3,)):
        raise InputError(
            f"pixels of type {array.dtype} and shape {list(array.shape)} cannot be segmented: give "
            "uint8 [h w], [h w 1] or [h w 3]"
        )
    image = Image.fromarray(array.reshape(array.shape[:2]) if grey else array).convert("RGB")
    if image.size != (SIDE, SIDE):
        image = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(image)


def distinct_segments(
    levels: Sequence[Integer[np.ndarray, "h w"]], *, overlap: float, least_area: float, count: int
) -> UInt16[np.ndarray, "levels h w"]:
    r"""Return the segments of several label images without near-duplicates, numbered from 1.

    Levels are visited in order. A segment is left out where its share of the image is at most
    `least_area`, or its Jaccard index $|s \cap t| / |s \cup t|$ with a segment t of a former level
    that stays is over `overlap`; of more than `count`, the smallest are left out as well. Labels
    are unique over all levels; 0 is no segment, in the levels given and in those returned.

    The rule of ACE: Ghorbani et al. (2019), arXiv:1902.03129, whose code compares all segments.
    """
    pixels = levels[0].size
    dense = [np.unique(np.where(level > 0, level, 0), return_inverse=True) for level in levels]
    codes = [inverse.ravel() + (values[0] > 0) for values, inverse in dense]  # 0 is no segment
    areas = [np.bincount(code) for code in codes]
    stays: list[np.ndarray] = []
    for i, (code, area) in enumerate(zip(codes, areas, strict=True)):
        stay = area > least_area * pixels
        stay[0] = False
        for other, other_area, other_stays in zip(codes[:i], areas[:i], stays, strict=True):
            shape = len(area), len(other_area)
            both = np.bincount(code * shape[1] + other, minlength=shape[0] * shape[1])
            both = both.reshape(shape)
            jaccard = both / (area[:, None] + other_area - both).clip(1)
            stay &= ~(jaccard[:, other_stays] > overlap).any(1)
        stays.append(stay)
    sizes = np.concatenate([np.where(s, a, 0) for s, a in zip(stays, areas, strict=True)])
    largest = np.argsort(-sizes, kind="stable")[:count]  # of equal ones, the first
    number = np.zeros(len(sizes), np.int64)
    number[largest[sizes[largest] > 0]] = 1
    number = np.cumsum(number) * number
    parts = np.split(number, np.cumsum([len(a) for a in areas])[:-1])
    labels = [part[code] for part, code in zip(parts, codes, strict=True)]
    return np.stack(labels).reshape(len(levels), *levels[0].shape).astype(np.uint16)
