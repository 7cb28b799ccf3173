"""Ownership of pixels by one region each, so that overlapping regions count once."""

import numpy as np
from jaxtyping import UInt8

from salix.compare.region_table import RegionTable


def owned_masks(table: RegionTable) -> UInt8[np.ndarray, "regions bytes"]:
    r"""Return the pixels that each region owns, packed as `table.masks`, disjoint in each image.

    A pixel belongs to the first region that covers it. Regions of an image are ordered by their
    density $\max_m s_{mr} / A_r$, share over area, falling: the greatest of all models of the
    table, so that no model comes first, another one may change who owns a pixel, and the scale of
    the logits has no effect. Ties are broken by the better rank in any model, then by the region's
    number. Regions of the random floor, which no model picked, come after all others. As in XRAI
    (Kapishnikov et al., 2019), a dense small region comes before a larger one around it, which
    owns the rest. A region whose pixels all belong to others owns none.
    """
    density = np.fmax.reduce(table.share, 0) / table.area
    rank = np.where(table.rank > 0, table.rank, np.iinfo(np.int32).max).min(0)
    order = np.lexsort((table.region, rank, -np.nan_to_num(density), table.floor, table.image))
    image = table.image[order]
    place = np.arange(len(order)) - np.searchsorted(image, image)
    masks = table.masks.view(np.uint64)
    owned = np.empty_like(masks)
    covered = np.zeros((len(table.ids), masks.shape[1]), np.uint64)
    for step in range(int(place.max(initial=-1)) + 1):
        rows = order[place == step]
        images, own = table.image[rows], masks[rows]
        owned[rows] = own & ~covered[images]
        covered[images] |= own
    return owned.view(np.uint8)
