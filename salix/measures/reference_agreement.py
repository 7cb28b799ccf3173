"""Agreement of a map with what people marked, or with any other reference mask."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from salix.metrics import relevance_mass, scale
from salix.metrics.arrays import as_share
from salix.metrics.comparison import Similarity
from salix.metrics.localisation import iou, pointing_game
from salix.typing import (
    Column,
    Explain,
    Explanation,
    Image,
    InputError,
    Map,
    PRNGKey,
    ReferenceMask,
    Values,
)

# Name, title, least and greatest value, source; higher is better for all
COLUMNS = (
    ("ssim", "structural similarity", -1, 1, "Wang et al., 2004, doi:10.1109/TIP.2003.819861"),
    ("pearson", "Pearson correlation", -1, 1, "over the cells of the map"),
    ("iou", "intersection over union", 0, 1, "Everingham et al., 2010"),
    ("pointing", "strongest cell inside", 0, 1, "pointing game, Zhang et al., 2018"),
    ("relevance_mass", "share of mass inside", 0, 1, "Arras et al., 2022, arXiv:2003.07258"),
)
NAMES = tuple(name for name, *_ in COLUMNS)


@dataclass(frozen=True)
class Agreement:
    r"""How far the map of an image agrees with its reference mask, by each of the comparisons in `of`.

    The reference mask is brought to the map's grid and scaled to [0, 1] by its own range there, as reference masks
    are that train. Columns: `human_ssim`, the mean SSIM of map and reference mask in 8 bits, by a `window`
    of cells or the largest odd one that fits; `human_pearson`, their correlation; `human_iou`,
    intersection over union of the cells of at least `threshold` times the map's maximum (None: of
    its strongest cells, as many as the reference mask has) and those where the reference mask is above one half;
    `human_pointing`, 1 where the map's maximum lies there; `human_relevance_mass`, the share of the map's
    mass inside the reference mask. Range [0, 1], of the first two [-1, 1]; higher is better.

    NaN where there is no reference mask, where the reference mask has no contrast on the map's grid (less than one
    grey level of 255), and where the map is constant. Raises `InputError` for an unknown comparison,
    for a reference mask of another number of axes than the map, and for an SSIM on a grid below 3 cells.

    Boyd et al. (2023), WACV, arXiv:2112.00686, for the reference mask; each comparison as in its metric.
    """

    of: tuple[str, ...] = NAMES
    window: int = 7
    threshold: float | None = 0.5

    def __post_init__(self):
        if not self.of or not set(self.of) <= set(NAMES):
            raise InputError(f"of is {self.of!r}: give a tuple of some of {', '.join(NAMES)}")
        Similarity(window=self.window)  # refuses what it cannot use

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the numbers mean."""
        return tuple(
            Column(f"human_{name}", f"Map and reference mask: {title}", about, low, high, "higher")
            for name, title, low, high, about in COLUMNS
            if name in self.of
        )

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        del explain, image, key  # one look at the clean map is enough
        if clean.reference_mask is None:
            return {f"human_{name}": jnp.full((), jnp.nan, jnp.float32) for name in self.of}
        map = jnp.asarray(clean.map)
        shares = on_grid(clean.reference_mask, map)
        reference_mask, _ = scale(shares)
        compare: dict[str, Callable[[Map, Map], Any]] = {
            "ssim": Similarity(window=self.window),
            "pearson": Similarity("pearson", eight_bit=False),
            "iou": lambda map, reference_mask: iou(map, reference_mask, self.threshold),
            "pointing": pointing_game,
            "relevance_mass": relevance_mass,
        }
        # Resizing leaves rounding errors on a reference mask that is the same everywhere.
        defined = (shares.max() - shares.min() >= 1 / 255) & (map.max() > 0)
        return {
            f"human_{name}": jnp.where(defined, compare[name](map, reference_mask), jnp.nan)
            for name in self.of
        }


def on_grid(reference_mask: ReferenceMask, map: Map) -> Map:
    """Return a reference mask as shares in [0, 1] on a map's grid, by antialiased linear resizing.

    Raises `InputError` where it has another number of axes than the map.
    """
    if reference_mask.ndim != map.ndim:
        raise InputError(
            f"the reference mask has shape {reference_mask.shape} and the map {map.shape}: "
            "both need the same number of axes"
        )
    share = as_share(reference_mask)
    return jnp.clip(jax.image.resize(share, map.shape, "linear", antialias=True), 0, 1)
