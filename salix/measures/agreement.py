"""Agreement of a map with a reference mask, such as a person's annotation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from salix.hyperparameters import WINDOW, check_fields, choice, several
from salix.metrics import Similarity, iou, pointing_game, relevance_mass, scale
from salix.metrics.localisation.overlap import THRESHOLD
from salix.metrics.resizing import resize_mask
from salix.typing import Column, Explain, Explanation, Image, Map, PRNGKey, Values

# Name, title, lowest and highest value, source; higher is better for all
COLUMNS = (
    ("ssim", "structural similarity", -1, 1, "Wang et al., 2004, doi:10.1109/TIP.2003.819861"),
    ("pearson", "Pearson correlation", -1, 1, "over the pixels of the map"),
    ("iou", "intersection over union", 0, 1, "Everingham et al., 2010"),
    ("pointing", "strongest pixel inside", 0, 1, "pointing game, Zhang et al., 2018"),
    ("relevance_mass", "share of mass inside", 0, 1, "Arras et al., 2022, arXiv:2003.07258"),
)
NAMES = tuple(name for name, *_ in COLUMNS)


@dataclass(frozen=True)
class Agreement:
    r"""Agreement of an image's map with its reference mask, by each of the `comparisons`.

    The reference mask is resized to the map's grid and scaled to [0, 1] by its range there, as in
    training. Columns: `human_ssim`, the mean SSIM of map and reference mask in 8 bits, by a
    `window` of pixels or the largest odd one that fits; `human_pearson`, their correlation;
    `human_iou`, intersection over union of the pixels of at least `threshold` times the map's
    maximum (None: its strongest pixels, as many as the reference mask has) and those where the
    reference mask is above one half; `human_pointing`, 1 where the map's maximum lies there;
    `human_relevance_mass`, the share of the map's mass inside the reference mask. Range [0, 1], of
    the first two [-1, 1]; higher is better.

    NaN where there is no reference mask, where it has no contrast on the map's grid (less than one
    grey level of 255), and where the map is constant. Raises `InputError` for an unknown
    comparison, for a reference mask of another number of axes than the map, and for an SSIM on a
    grid below 3 positions a side.

    Boyd et al. (2023), WACV, arXiv:2112.00686, for the reference mask; comparisons as in their
    metrics.
    """

    comparisons: tuple[str, ...] = NAMES
    window: int = 7
    threshold: float | None = 0.5

    def __post_init__(self):
        remedy = f"give a tuple of some of {', '.join(NAMES)}, each once"
        comparisons = several(choice(NAMES), remedy=remedy, unique=True)
        check_fields(self, comparisons=comparisons, window=WINDOW, threshold=THRESHOLD)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The description of each comparison."""
        return tuple(
            Column(f"human_{name}", f"Map and reference mask: {title}", source, low, high, "higher")
            for name, title, low, high, source in COLUMNS
            if name in self.comparisons
        )

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        del explain, image, key  # the clean map alone is measured
        if clean.reference_mask is None:
            undefined = jnp.full((), jnp.nan, jnp.float32)
            return {f"human_{name}": undefined for name in self.comparisons}
        map = jnp.asarray(clean.map)
        shares = resize_mask(clean.reference_mask, map)
        mask, _ = scale(shares)
        compare: dict[str, Callable[[Map, Map], Any]] = {
            "ssim": Similarity(window=self.window),
            "pearson": Similarity("pearson", eight_bit=False),
            "iou": lambda map, mask: iou(map, mask, threshold=self.threshold),
            "pointing": pointing_game,
            "relevance_mass": relevance_mass,
        }
        # Resizing leaves rounding errors on a reference mask that is the same everywhere.
        defined = (shares.max() - shares.min() >= 1 / 255) & (map.max() > 0)
        return {
            f"human_{name}": jnp.where(defined, compare[name](map, mask), jnp.nan)
            for name in self.comparisons
        }
