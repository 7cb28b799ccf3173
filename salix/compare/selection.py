"""Selection of the regions that are compared: top regions of any model, and a random floor."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
from jaxtyping import Bool, Float, Integer, UInt8, UInt16

from salix.compare.masks import boxes, counts, label_masks, overlaps, pack, segment_levels
from salix.data import id_hash

MOST_OVERLAP = 0.5  # Jaccard index above which two regions are near-duplicates
AREA_RATIO = 2.0  # of a floor region to a top region, at most
SPARE = 3  # floor regions drawn for each one wanted: near-duplicates of top regions fall out


@dataclass(frozen=True, eq=False)
class Selection:
    """Selected regions of some images, image by image, top regions before those of the floor."""

    image: Integer[np.ndarray, " regions"]
    region: Integer[np.ndarray, " regions"]
    floor: Bool[np.ndarray, " regions"]
    box: Float[np.ndarray, "regions 4"]
    masks: UInt8[np.ndarray, "regions bytes"]


def random_draws(ids: np.ndarray, seed: int, segments: int) -> Float[np.ndarray, "images 2 n"]:
    """Return uniform numbers of each image by its id and `seed` alone, in [0, 1)."""
    width = max(segments, 64)
    with np.errstate(over="ignore"):  # SplitMix64: wraps around
        key = np.array([id_hash(i) for i in ids], np.uint64)[:, None] << np.uint64(32)
        x = key + np.uint64(seed) * np.uint64(0xD1342543DE82EF95)
        x = x + np.arange(1, 2 * width + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    return ((x >> np.uint64(11)) / 2**53).reshape(len(ids), 2, width)


def join(parts: Sequence[tuple[np.ndarray, Selection]]) -> Selection:
    """Return selections of groups of images as one, by the images' own numbers."""
    images = np.concatenate([own[part.image] for own, part in parts])
    rest = (
        np.concatenate([getattr(part, name) for _, part in parts])
        for name in ("region", "floor", "box", "masks")
    )
    return Selection(images, *rest)


def select_regions(
    labels: UInt16[np.ndarray, "images levels side side"],
    rank: Integer[np.ndarray, "models images segments"],
    share: Float[np.ndarray, "models images segments"],
    area: Float[np.ndarray, "images segments"],
    draw: Float[np.ndarray, "images 2 n"],
    *,
    cover: float,
    most: int,
    floor: int,
    least_area: float,
) -> Selection:
    """Select the regions of some images; no image depends on another one.

    A model's top regions are those of `rank` 1, 2, ... while less than `cover` of the frame is
    covered by those before, `most` at most. The union over models, in the order of the best rank,
    then of the greatest share, loses each region whose Jaccard index on the grid with one before
    it is above 1/2: the order of the models decides nothing. `floor` regions beside them are
    random, from `draw` (uniform numbers): not picked by any model, no near-duplicate of a picked
    one, and of half to twice the area of a picked one. Segments below `least_area` of the frame,
    and those without a cell of the grid, are left out.
    """
    flat = labels.reshape(*labels.shape[:2], -1)
    level = segment_levels(flat, area.shape[1])
    usable = area >= least_area
    place = np.where((rank > 0) & (rank <= most) & usable, rank, 0)
    if cover < 1:
        place = _within_cover(flat, level, place, cover)
    best = np.where(place > 0, place, np.iinfo(np.int32).max).min(0)
    picked = best < np.iinfo(np.int32).max
    order = np.lexsort(
        (-np.where(picked, np.nan_to_num(share).max(0), 0), best)
    )  # stable: then by number
    width = int(picked.sum(1).max(initial=0))
    top = order[:, :width]
    is_top = np.take_along_axis(picked, top, 1)
    free = usable & (rank == 0).all(0)
    random, is_random = _draw_floor(area, free, top, is_top, draw, floor * SPARE)
    candidate = np.concatenate([top, random], 1)
    valid = np.concatenate([is_top, is_random], 1)
    return _without_duplicates(flat, level, candidate, valid, width, floor)


def _within_cover(
    flat: np.ndarray, level: np.ndarray, place: np.ndarray, cover: float
) -> np.ndarray:
    """Return places [models images segments], 0 for regions after `cover` of the frame."""
    place = place.copy()
    n, cells = len(flat), flat.shape[-1]
    rows = np.arange(n)
    for own in place:
        # Ranks of the picks alone: those that are too small have left gaps.
        order = np.argsort(np.where(own > 0, own, np.iinfo(np.int32).max), axis=1, kind="stable")
        covered = np.zeros((n, cells), bool)
        for step in range(int((own > 0).sum(1).max(initial=0))):
            region = order[:, step]
            own[rows, region] *= covered.mean(1) < cover
            covered |= label_masks(flat, level, rows, region)
    return place


def _draw_floor(
    area: np.ndarray,
    free: np.ndarray,
    top: np.ndarray,
    is_top: np.ndarray,
    draw: np.ndarray,
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` random free regions of each image [images count], and which are valid."""
    n, rows = len(area), np.arange(len(area))
    free = free.copy()
    regions, valid = np.zeros((n, count), int), np.zeros((n, count), bool)
    if not top.shape[1]:
        return regions, valid
    log_area = np.log(np.maximum(area, 1e-9))
    picks = np.maximum(is_top.sum(1), 1)
    for k in range(count):
        pick = top[rows, (draw[:, 0, k] * picks).astype(int)]
        ratio = np.abs(log_area - log_area[rows, pick][:, None])
        close = free & (ratio <= np.log(AREA_RATIO)) & is_top.any(1, keepdims=True)
        random = np.where(close, draw[:, 1, : area.shape[1]], -1.0)
        regions[:, k] = random.argmax(1)
        valid[:, k] = close.any(1)
        free[rows, regions[:, k]] &= ~valid[:, k]
    return regions, valid


def _without_duplicates(
    flat: np.ndarray,
    level: np.ndarray,
    candidate: np.ndarray,
    valid: np.ndarray,
    tops: int,
    floor: int,
) -> Selection:
    """Return the candidates that are no near-duplicate of one before them."""
    n, width, side = *candidate.shape, isqrt(flat.shape[-1])
    image, column = np.nonzero(valid)
    masks = label_masks(flat, level, image, candidate[image, column])
    packed = np.zeros((n, width, pack(masks[:0]).shape[-1]), np.uint8)
    packed[image, column] = pack(masks)
    keep = valid & (counts(packed) > 0)
    if width:
        overlap = overlaps(packed) > MOST_OVERLAP
        for j in range(1, width):
            keep[:, j] &= ~(keep[:, :j] & overlap[:, j, :j]).any(1)
    keep[:, tops:] &= np.cumsum(keep[:, tops:], 1) <= floor
    chosen = keep[image, column]
    image, column = image[chosen], column[chosen]
    return Selection(
        image,
        candidate[image, column],
        column >= tops,
        boxes(masks[chosen].reshape(-1, side, side)),
        packed[image, column],
    )
