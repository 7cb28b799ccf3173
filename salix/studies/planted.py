"""Agreement of concepts with regions that are known to have been planted."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Integer

from salix.compare import RegionTable, concept_shares


@dataclass(frozen=True, eq=False)
class PlantedOverlap:
    """Overlap of each concept's regions with the planted masks, over the images that have one.

    The area of a concept is the pixels that its regions own, as in `concept_shares`. `recall`:
    share of the planted area that is the concept's; `precision`: share of the concept's area that
    is planted, NaN where it has none; `jaccard`: area of both over that of either. In [0, 1].
    """

    recall: Float[np.ndarray, " concepts"]
    precision: Float[np.ndarray, " concepts"]
    jaccard: Float[np.ndarray, " concepts"]


def planted_overlap(
    table: RegionTable,
    concept: Integer[np.ndarray, " regions"],
    count: int,
    planted: Float[np.ndarray, "images side side"],
) -> PlantedOverlap:
    """Compare the regions of each of `count` concepts with planted masks on the table's grid.

    `planted` is the share of each grid position that was planted, 0 in images without. `concept` is
    that of each region, -1 for none.
    """
    masks = planted.reshape(len(planted), -1)
    area = masks.mean(1, keepdims=True)

    def owned(maps: np.ndarray) -> np.ndarray:
        """Share of a map [images cells] of mean 1 that each concept owns, [images concepts]."""
        density = np.broadcast_to(maps.astype(np.float16), table.density.shape)
        total = np.broadcast_to((area[:, 0] > 0).astype(np.float32), table.total.shape)
        drawn = replace(table, density=density, total=total)  # for every model the same
        return np.nan_to_num(concept_shares(drawn, concept, count)[0])

    inside = owned(np.divide(masks, area, out=np.zeros(masks.shape), where=area > 0))
    pixels = owned(np.ones(masks.shape))
    both, own = (area * inside).sum(0), pixels.sum(0)
    with np.errstate(invalid="ignore"):
        return PlantedOverlap(
            recall=both / area.sum(), precision=both / own, jaccard=both / (own + area.sum() - both)
        )
