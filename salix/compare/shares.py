"""Share of each concept in the attribution of each image, over the pixels its regions own."""

import numpy as np
from jaxtyping import Float, Integer

from salix.compare.ownership import owned_masks
from salix.compare.region_table import RegionTable
from salix.typing import InputError

SCALES = ("share", "signed", "completeness", "rank")
LEAST_CHANGE = 0.05  # of the total: |f(x) - f(x')| below it makes "completeness" undefined
BLOCK = 32  # images whose masks are unpacked at once


def concept_shares(
    table: RegionTable,
    concept: Integer[np.ndarray, " regions"],
    count: int,
    *,
    scale: str = "share",
) -> Float[np.ndarray, "models images concepts"]:
    r"""Return the share of each concept in each image, by each model.

    With $U_{ik}$ the pixels of the grid that the image's regions of concept $k$ own, each pixel
    being owned by one region at most (`owned_masks`), and $a_i$ the attribution,
    "share" is $\sum_{p \in U_{ik}} |a_i(p)| / \sum_p |a_i(p)|$, in [0, 1]: it does not change with
    the scale of the logits, and those of all concepts of an image sum to at most 1.
    "signed" is $\sum_{p \in U_{ik}} a_i(p) / \sum_p |a_i(p)|$, in [-1, 1].
    "completeness" is $\sum_{p \in U_{ik}} a_i(p) / (f(x_i) - f(x'_i))$, unbounded, NaN where
    $|f(x_i) - f(x'_i)| < 0.05 \sum_p |a_i(p)|$ or the method has no baseline. "rank" is the
    percentile of the share among all shares of that model, in (0, 1), ties in the middle.

    `concept` has a number below `count` for each region; -1 belongs to none. NaN where the image
    has no region of the concept, or no attribution; 0 where its regions own no pixel. Regions of
    -1 own their pixels too. Raises `InputError` for other numbers.
    """
    if scale not in SCALES:
        raise InputError(f"scale is {scale!r}: choose {', '.join(SCALES)}")
    concept = np.asarray(concept)
    if concept.shape != table.image.shape:
        raise InputError(
            f"concept has shape {concept.shape} for {len(table.image)} regions: give a number each"
        )
    if concept.size and not -1 <= concept.min() <= concept.max() < count:
        raise InputError(
            f"concepts are numbered {concept.min()} to {concept.max()}, expected -1 to {count - 1}"
        )
    image, number, pixels = _pixels(table, concept, count)
    shares = np.full((len(table.models), len(table.ids), count), np.nan, np.float32)
    maps = table.density if scale in ("share", "rank") else table.signed
    shares[:, image, number] = _sums(pixels, image, maps) / table.side**2
    if scale == "completeness":
        change = np.where(is_defined(table), table.net - table.completeness, np.nan)
        shares *= (table.total / change)[:, :, None]
    shares[~(table.total > 0)] = np.nan
    if scale == "rank":
        from scipy.stats import rankdata

        for own in shares:
            valid = ~np.isnan(own)
            own[valid] = (rankdata(own[valid]) - 0.5) / max(valid.sum(), 1)
    return shares


def is_defined(table: RegionTable) -> np.ndarray:
    """Whether the scale "completeness" is defined for an image, [models images]."""
    with np.errstate(invalid="ignore"):
        return np.abs(table.net - table.completeness) >= LEAST_CHANGE * table.total


def _pixels(
    table: RegionTable, concept: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return image, concept and packed pixels of each concept in an image, sorted by image."""
    member = np.flatnonzero(concept >= 0)
    key = table.image[member].astype(np.int64) * count + concept[member]
    order = np.argsort(key, kind="stable")
    member, key = member[order], key[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    image, number = np.divmod(key[first], max(count, 1))
    if not len(first):
        return image, number, table.masks[:0]
    words = owned_masks(table)[member].view(np.uint64)  # eight times as fast as bytes
    return image, number, np.bitwise_or.reduceat(words, first, axis=0).view(np.uint8)


def _sums(pixels: np.ndarray, image: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Return the sums of the maps over each concept's pixels in an image, [models pixels].

    One product a map: each model's sums are the same to the bit beside any other model.
    """
    models, n, cells = maps.shape
    sums = np.zeros((models, len(image)), np.float32)
    bounds = np.searchsorted(image, np.arange(n + 1))
    for a in range(0, n, BLOCK):
        block = slice(a, min(a + BLOCK, n))
        start, own = bounds[a], maps[:, block].astype(np.float32)
        packed = pixels[start : bounds[block.stop]]
        flags = np.unpackbits(packed, axis=1, count=cells).astype(np.float32)
        for i in range(a, block.stop):
            rows = slice(bounds[i], bounds[i + 1])
            for m in range(models):
                sums[m, rows] = flags[rows.start - start : rows.stop - start] @ own[m, i - a]
    return sums
