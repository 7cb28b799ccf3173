"""Equivariance of maps under geometric transforms: flips, turns, shifts, angles and scales."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from salix.hyperparameters import FLAG, TEXT, check_fields, choice, number, several
from salix.measures.conditions import enlarge_to_image
from salix.measures.variants import (
    mean_columns,
    measure_variants,
    similarity_means,
    variant_columns,
)
from salix.metrics import Similarity
from salix.metrics.comparison import SIMILARITY
from salix.metrics.explainer import as_explainer
from salix.perturb.warps import (
    IDENTITY,
    SHIFTS,
    TURNS,
    invert,
    stack_placements,
    valid_region,
    warp,
)
from salix.typing import (
    Column,
    Explain,
    Explanation,
    GridMap,
    Image,
    InputError,
    Map,
    PRNGKey,
    Scalar,
    Values,
)

TWELVE = (*TURNS, *SHIFTS)
TRANSFORMS = several(
    choice(TWELVE), remedy=f"choose from {', '.join(TWELVE)}, each once", low=0, unique=True
)
SCALES = several(
    number(lambda n: n > 0), remedy="give factors above 0, each once", low=0, unique=True
)
SHIFT = number(
    lambda n: 0 < n < 1 or (n >= 1 and n == int(n)),
    remedy="give whole pixels, or a share of the side below 1",
)


@dataclass(frozen=True)
class Geometry:
    r"""Similarity of a map to the clean one as its image is flipped, turned, shifted and scaled.

    $\text{sim}(S(x), T^{-1} S(T(x)))$ for each transform T. `transforms` names some of the twelve
    published: flips, quarter turns, and shifts by `shift` pixels, or below 1 by that share of the
    side, rounded. `angles` (degrees, counter-clockwise) and `scales` (above 1 enlarges) add
    bilinear warps about the centre. Uncovered pixels replicate the edge.

    Maps are enlarged to the image's side, since a shift is less than a grid position, and compared
    where both are defined: SSIM windows that lie inside the overlap. Flips and turns are undone
    before, on the map's own grid, where they are exact. If not `upscaled`, flips and turns are
    compared on the native grid; the others cannot be. Images are square, except for such flips.

    Returns the columns of `measure_variants`, each [transforms], named `prefix_…`: similarities
    with the target fixed and, if `repredict`, re-predicted. `prefix_mean` and
    `prefix_mean_repredicted` are means of the similarities that are defined, NaN if none is. Range
    [-1, 1], higher is steadier: 1 for an equivariant model. Raises `InputError` for unknown names,
    no transform, and images or shifts that do not fit.

    Crum et al. (2023), arXiv:2303.11969, followed by `PAPER_GEOMETRY`.
    """

    transforms: tuple[str, ...] = TWELVE
    angles: tuple[float | int, ...] = ()
    scales: tuple[float | int, ...] = ()
    shift: float | int = 16 / 224
    similarity: Similarity = Similarity()  # noqa: RUF009 - it is frozen
    repredict: bool = True
    upscaled: bool = True
    prefix: str = "geometry"

    def __post_init__(self):
        check_fields(
            self,
            transforms=TRANSFORMS,
            angles=several(number(), remedy="give finite degrees, each once", low=0, unique=True),
            scales=SCALES,
            shift=SHIFT,
            similarity=SIMILARITY,
            repredict=FLAG,
            upscaled=FLAG,
            prefix=TEXT,
        )
        if not self.names:
            raise InputError("there is no transform: name some, or give angles or scales")
        if not self.upscaled and not set(self.names) <= set(TURNS):
            raise InputError(
                "shifts, angles and scales move a map by less than a grid position: "
                f"leave upscaled=True, or keep to {', '.join(TURNS)}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Every transform, in the order of the columns."""
        return (
            *self.transforms,
            *(f"rotate {angle:g}" for angle in self.angles),
            *(f"scale {factor:g}" for factor in self.scales),
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        """The description of each column."""
        title = "Geometric transformation"
        grid = "enlarged to the image" if self.upscaled else "on its own grid"
        meaning = (
            f"The map of a transformed image, brought back, against the clean one by "
            f"{self.similarity}, {grid}, where they overlap (Crum et al., 2023, arXiv:2303.11969)."
        )
        axis = "transform", self.names
        variants = variant_columns(self.prefix, title, meaning, *axis, repredict=self.repredict)
        title = f"{title}: mean similarity"
        means = mean_columns(self.prefix, "mean", title, meaning, repredict=self.repredict)
        return variants + means

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        del key  # deterministic
        side = self._check(image, clean.map)
        similarity = enlarge_to_image(self.similarity, image) if self.upscaled else self.similarity
        explainer = as_explainer(explain)
        step = self._shift_pixels(side)
        forward = stack_placements(self.transforms, self.angles, self.scales, step)
        turns = np.array([name in TURNS for name in self.names]).reshape(-1, 1, 1)
        undo_turn = jnp.asarray(invert(np.where(turns, forward, IDENTITY)), jnp.float32)
        undo_shift = jnp.asarray(invert(np.where(turns, IDENTITY, forward)), jnp.float32)
        placements = jnp.asarray(forward, jnp.float32)
        expected = similarity.prepare(clean.map)
        everywhere = jnp.ones(expected.shape, bool)
        exact = not (self.angles or self.scales)  # pixels map to pixels: nothing to interpolate

        def transform(i: Any) -> Image:
            return warp(image, placements[i], nearest=exact)

        def compare(map: Map, i: Any) -> Scalar:
            # The nearest position: on its own grid a map is only turned.
            restored = similarity.prepare(warp(map, undo_turn[i], nearest=True))
            if not self.upscaled:
                return similarity.compare_where(expected, restored, everywhere)
            restored = warp(restored.astype(jnp.float32), undo_shift[i], nearest=exact)
            valid = valid_region((side, side), undo_shift[i])
            return similarity.compare_where(expected, restored, valid)

        count = len(self.names)
        values = measure_variants(
            explainer, clean, transform, count, compare, repredict=self.repredict
        )
        values |= similarity_means(values, "mean", jnp.nanmean)
        return {f"{self.prefix}_{name}": value for name, value in values.items()}

    def _shift_pixels(self, side: int) -> int:
        return round(self.shift * side) if self.shift < 1 else int(self.shift)

    def _check(self, image: Image, map: GridMap) -> int:
        """Return the side of a square image, or the height of an image that is only flipped."""
        if image.ndim != 3 or map.ndim != 2:
            raise InputError(
                f"an image of shape {image.shape} with a map of shape {map.shape} cannot be "
                "transformed: give an image [h w c] and a map [h w]"
            )
        (height, width), turned = image.shape[:2], any("turn" in name for name in self.names)
        if (turned or self.upscaled) and height != width:
            raise InputError(
                f"an image of {height} x {width} cannot be turned by 90 degrees, nor its map "
                "enlarged: let the model's preprocessing make it square, or keep to "
                "transforms=('flip_lr', 'flip_ud') with upscaled=False"
            )
        if turned and map.shape[0] != map.shape[1]:
            raise InputError(
                f"a map of shape {map.shape} cannot be turned by 90 degrees: "
                "leave out turn_clockwise and turn_counterclockwise"
            )
        step, window = self._shift_pixels(height), self.similarity.window
        if any(name in SHIFTS for name in self.names) and not 1 <= step <= height - window:
            raise InputError(
                f"a shift of {step} pixels does not fit an image of side {height} with windows of "
                f"{window}: give from 1 to {height - window} pixels"
            )
        return height


PAPER_GEOMETRY = Geometry(shift=16, prefix="paper_geometry")
"""The released setting: the twelve transforms, shifts of 16 pixels, 8-bit maps enlarged.

`paper_geometry_similarity_repredicted`, with the class of each transformed image, and
`paper_geometry_score` were released. The code that compared the maps was not: SSIM of windows of
7 x 7, where the maps overlap, replaces it. `Geometry` also fixes the target, and its shifts are the
same share of the side at other sizes.
"""
