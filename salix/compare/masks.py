"""Masks of regions on the grid: packed bits, overlaps and bounding boxes."""

import numpy as np
from jaxtyping import Bool, Float, Integer, UInt8, UInt16

WORD = 64  # bits: rows are padded to whole words, so that overlaps are counted a word at a time


def pack(masks: Bool[np.ndarray, "*n cells"]) -> UInt8[np.ndarray, "*n bytes"]:
    """Return masks as bits, the first cell in the highest bit, padded by zeros to whole words."""
    padding = [(0, 0)] * (masks.ndim - 1) + [(0, -masks.shape[-1] % WORD)]
    return np.packbits(np.pad(masks, padding), axis=-1)


def unpack(bits: UInt8[np.ndarray, "*n bytes"], side: int) -> Bool[np.ndarray, "*n side side"]:
    """Return packed masks as arrays of flags on the grid."""
    flags = np.unpackbits(bits, axis=-1, count=side * side).view(bool)
    return flags.reshape(*bits.shape[:-1], side, side)


def segment_levels(
    labels: UInt16[np.ndarray, "images levels cells"], segments: int
) -> Integer[np.ndarray, "images segments"]:
    """Return the level of each segment, 0 for those that an image lacks."""
    level = np.zeros((len(labels), segments + 1), np.int8)
    rows = np.arange(len(labels))[:, None]
    for number in range(labels.shape[1]):
        level[rows, labels[:, number]] = number
    return level[:, 1:]


def label_masks(
    labels: UInt16[np.ndarray, "images levels cells"],
    level: Integer[np.ndarray, "images segments"],
    image: Integer[np.ndarray, " regions"],
    region: Integer[np.ndarray, " regions"],
) -> Bool[np.ndarray, "regions cells"]:
    """Return the cells of regions: segment r has the label r + 1, in its `segment_levels`."""
    return labels[image, level[image, region]] == (region + 1).astype(labels.dtype)[:, None]


def counts(bits: UInt8[np.ndarray, "*n bytes"]) -> Integer[np.ndarray, "*n"]:
    """Return the number of cells of packed masks."""
    return np.bitwise_count(bits.view(np.uint64)).sum(-1, dtype=np.int32)


def overlaps(bits: UInt8[np.ndarray, "images n bytes"]) -> Float[np.ndarray, "images n n"]:
    """Return the Jaccard index of all pairs of an image's masks; 0 for two empty ones."""
    words = bits.view(np.uint64)
    both = np.stack(
        [counts((words & words[:, j : j + 1]).view(np.uint8)) for j in range(words.shape[1])], 2
    )
    size = np.einsum("ijj->ij", both)
    either = size[:, :, None] + size[:, None, :] - both
    return np.divide(both, either, out=np.zeros(both.shape), where=either > 0)


def boxes(masks: Bool[np.ndarray, "regions side side"]) -> Float[np.ndarray, "regions 4"]:
    """Return bounding boxes (y0, x0, y1, x1) in shares of the frame."""
    side = masks.shape[-1]
    edges = []
    for axis in (2, 1):
        lines = np.any(masks, axis=axis)
        edges.append((lines.argmax(1), side - lines[:, ::-1].argmax(1)))
    (y0, y1), (x0, x1) = edges
    return (np.stack([y0, x0, y1, x1], 1) / side).astype(np.float32)
