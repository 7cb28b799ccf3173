"""Overlapping masks as bits of one image: packing, dilation, and the atoms that they cut it into.

Bit m of a pixel tells whether mask m contains it, in planes of 64 masks each: one operation on a
plane is that operation on 64 masks.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Integer, UInt64

BitPlanes = UInt64[np.ndarray, "words h w"]


@dataclass(frozen=True, eq=False)
class Atoms:
    """Pixels that lie in the same masks: `pixel` numbers the atom of each pixel, from 0."""

    pixel: Int[np.ndarray, "h w"]
    members: Bool[np.ndarray, "atoms masks"]


def pack_masks(masks: Bool[np.ndarray, "masks h w"]) -> BitPlanes:
    """Return the planes of boolean masks, which may overlap."""
    count, h, w = masks.shape
    words = max(1, math.ceil(count / 64))
    octets = np.zeros((words * 8, h, w), np.uint8)
    octets[: math.ceil(count / 8)] = np.packbits(masks, axis=0, bitorder="little")
    grouped = np.moveaxis(octets.reshape(words, 8, h, w), 1, -1)
    return np.ascontiguousarray(grouped).view("<u8")[..., 0]


def pack_labels(labels: Integer[np.ndarray, "levels h w"]) -> BitPlanes:
    """Return the planes of labelled levels: label m, from 1, is mask m - 1; 0 is none."""
    count = int(labels.max(initial=0))
    table = np.zeros((max(1, math.ceil(count / 64)), count + 1), np.uint64)
    masks = np.arange(count, dtype=np.uint64)
    table[masks // 64, masks + 1] = np.uint64(1) << masks % 64
    planes = np.zeros((len(table), *labels.shape[1:]), np.uint64)
    for level in labels:
        planes |= table[:, level]
    return planes


def dilate(planes: BitPlanes, radius: int) -> BitPlanes:
    """Return the planes with every mask dilated by the disk x^2 + y^2 <= radius^2, exactly.

    The disk is 2 radius + 1 rows of pixels; the rows of one length share their horizontal part.
    """
    height = planes.shape[1]
    reach = [math.isqrt(radius**2 - dy**2) for dy in range(radius + 1)]
    out, span = np.zeros_like(planes), planes  # span: masks within k pixels of the same row
    for k in range(radius + 1):
        if k:
            wider = span.copy()
            wider[..., 1:] |= span[..., :-1]
            wider[..., :-1] |= span[..., 1:]
            span = wider
        for dy in (dy for dy in range(min(radius + 1, height)) if reach[dy] == k):
            out[:, dy:] |= span[:, : height - dy]
            out[:, : height - dy] |= span[:, dy:]
    return out


def cut(planes: BitPlanes, count: int) -> Atoms:
    """Return the atoms of the first `count` masks.

    Sorts the runs of equal pixels in rows, of which there are far fewer than pixels.
    """
    flat = planes.reshape(len(planes), -1)
    first = np.ones(flat.shape[1], bool)
    first[1:] = (flat[:, 1:] != flat[:, :-1]).any(0)
    runs = flat[:, first]
    order = np.lexsort(runs)
    runs = runs[:, order]
    distinct = np.ones(len(order), bool)
    distinct[1:] = (runs[:, 1:] != runs[:, :-1]).any(0)
    atom = np.empty(len(order), np.int64)
    atom[order] = np.cumsum(distinct) - 1
    octets = np.ascontiguousarray(runs[:, distinct].T).astype("<u8").view(np.uint8)
    members = np.unpackbits(octets, axis=1, count=count, bitorder="little").astype(bool)
    return Atoms(atom[np.cumsum(first) - 1].reshape(planes.shape[1:]), members)
