"""Table of the selected regions of several models over the same images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float16, Int, UInt8

from salix.compare.masks import unpack


@dataclass(frozen=True, eq=False)
class RegionTable:
    """Selected regions of all images, with the numbers of each model.

    Regions stand image by image. Areas and boxes (y0, x0, y1, x1) are shares of the frame. `mass`
    (signed) and `share` are shares of the image's total |attribution|, `drop` is the loss of score
    without the region, in units of the score, NaN where it was not measured; `rank` is the place
    in the model's own order, 0 where it did not pick the region. `floor` marks random regions for
    reference. `masks` are bits on the grid of `side` x `side`, see `mask`; `density` (|a|) and
    `signed` (a) are maps on it, in multiples of the image's mean |a|. `target` is the explained
    class, -1 where the models explain different ones; labels are -1 where unknown. `clusters` are
    codes of groups of dependent images, None for independent ones. `total` is the sum of |a|,
    `net` the sum of a, `completeness` what `net` is above f(x) - f(x'), in units of the score, NaN
    where the method has no baseline. `notes` are sentences for the reader of the comparison.
    """

    ids: np.ndarray
    models: tuple[str, ...]
    image: Int[np.ndarray, " regions"]
    region: Int[np.ndarray, " regions"]
    area: Float[np.ndarray, " regions"]
    mass: Float[np.ndarray, "models regions"]
    share: Float[np.ndarray, "models regions"]
    drop: Float[np.ndarray, "models regions"]
    rank: Int[np.ndarray, "models regions"]
    floor: Bool[np.ndarray, " regions"]
    box: Float[np.ndarray, "regions 4"]
    masks: UInt8[np.ndarray, "regions bytes"]
    side: int
    density: Float16[np.ndarray, "models images cells"]
    signed: Float16[np.ndarray, "models images cells"]
    embeddings: Mapping[str, np.ndarray]
    classes: tuple[str, ...]
    labels: Int[np.ndarray, " images"]
    target: Int[np.ndarray, " images"]
    predicted: Int[np.ndarray, "models images"]
    confidence: Float[np.ndarray, "models images"]
    correct: Bool[np.ndarray, "models images"]
    clusters: np.ndarray | None
    metadata: Mapping[str, np.ndarray]
    completeness: Float[np.ndarray, "models images"]
    total: Float[np.ndarray, "models images"]
    net: Float[np.ndarray, "models images"]
    explained: str
    segmentation: str
    notes: tuple[str, ...]

    def mask(self, regions: Any) -> Bool[np.ndarray, "*n side side"]:
        """Return the masks of some regions, by their positions in the table, on the grid."""
        return unpack(self.masks[regions], self.side)
