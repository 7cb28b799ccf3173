"""How salience follows its image through geometric transformations."""

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num

from salix.measures.reaction import react, reaction_columns
from salix.metrics.comparison import Similarity
from salix.metrics.masked_comparison import similarity_where
from salix.perturb.geometric import (
    IDENTITY,
    SHIFTS,
    TURNS,
    covered,
    inverse,
    rotated,
    scaled,
    shifted,
    warp,
)
from salix.typing import (
    AnyArray,
    Column,
    Explain,
    Explanation,
    Image,
    InputError,
    Map,
    PRNGKey,
    Scalar,
    Values,
    as_explainer,
)

TWELVE = (*TURNS, *SHIFTS)


@dataclass(frozen=True)
class Geometry:
    r"""Similarity of a map to the clean one as its image is flipped, turned, shifted, scaled.

    $\text{sim}(S(x), T^{-1} S(T(x)))$ for each transform T. `transforms` names some of the twelve
    published: flips, quarter turns, and shifts by `shift` pixels, or below 1 by that share of the
    side, rounded. `angles` (degrees, counter-clockwise) and `scales` (above 1 enlarges) add
    bilinear warps about the centre. What a transform leaves uncovered shows the replicated edge.

    Maps are enlarged to the image's side, since a shift moves them by less than a cell, and
    compared where both are defined: windows of SSIM that lie wholly inside the overlap. A flip or
    turn is undone before, on the map's own grid, where it is exact. Not `upscaled`, flips and turns
    are compared on the own grid; the others cannot be. Images are square, except for such flips.

    Returns the columns of `react`, each [transforms], named `prefix_…`: similarities with the class
    of the clean image kept and, if `repredict`, with the class of each variant itself. `prefix_mean` and
    `prefix_mean_repredicted` are means of the similarities that are defined, NaN if none is. Range
    [-1, 1], higher is steadier: 1 for a model that moves its map as its image moves. Raises
    `InputError` for unknown names, nothing to do, and images or shifts that do not fit.

    Crum et al. (2023), arXiv:2303.11969, which `PAPER_GEOMETRY` follows.
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
        unknown = [name for name in self.transforms if name not in TWELVE]
        if unknown:
            raise InputError(f"unknown transform {unknown[0]!r}: choose from {', '.join(TWELVE)}")
        if not self.names:
            raise InputError("no transform is given: name some, or give angles or scales")
        if not all(0 < scale < np.inf for scale in self.scales):
            raise InputError(f"scales are {self.scales}: give factors above 0")
        if not all(np.isfinite(angle) for angle in self.angles):
            raise InputError(f"angles are {self.angles}: give finite degrees")
        if not self.shift > 0 or (self.shift >= 1 and self.shift != int(self.shift)):
            raise InputError(
                f"shift is {self.shift}: give whole pixels, or a share of the side below 1"
            )
        if not self.upscaled and not set(self.names) <= set(TURNS):
            raise InputError(
                "shifts, angles and scales move a map by less than a cell: "
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
        """What the numbers mean."""
        title = "Geometric transformation"
        about = (
            f"The map of a transformed image, brought back, against the clean one by "
            f"{self.similarity}, {'enlarged to the image' if self.upscaled else 'on its own grid'}"
            ", where they overlap (Crum et al., 2023, arXiv:2303.11969)."
        )
        means = (("mean", "target fixed"), ("mean_repredicted", "target re-predicted"))[
            : 1 + self.repredict
        ]
        return (
            *reaction_columns(self.prefix, title, "transform", self.names, about, self.repredict),
            *(
                Column(
                    f"{self.prefix}_{name}",
                    f"{title}: mean similarity, {of}",
                    about,
                    -1,
                    1,
                    "higher",
                )
                for name, of in means
            ),
        )

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        del key  # deterministic
        side, explainer = self._check(image, clean.map), as_explainer(explain)
        forth = self._placements(side)
        turned = np.array([name in TURNS for name in self.names]).reshape(-1, 1, 1)
        unturn = jnp.asarray(inverse(np.where(turned, forth, IDENTITY)), jnp.float32)
        unmove = jnp.asarray(inverse(np.where(turned, IDENTITY, forth)), jnp.float32)
        placements = jnp.asarray(forth, jnp.float32)
        expected = self._prepare(clean.map, side)
        everywhere = jnp.ones(expected.shape, bool)
        whole = not (self.angles or self.scales)  # pixels go to pixels: nothing to interpolate

        def vary(i: Any) -> Image:
            return warp(image, placements[i], nearest=whole)

        def compare(map: Map, i: Any) -> Scalar:
            # The nearest cell: a map of its own grid is only turned.
            found = self._prepare(warp(map, unturn[i], nearest=True), side)
            if not self.upscaled:
                return similarity_where(self.similarity, expected, found, everywhere)
            found = warp(found.astype(jnp.float32), unmove[i], nearest=whole)
            valid = covered((side, side), unmove[i])
            return similarity_where(self.similarity, expected, found, valid)

        found: dict[str, Any] = dict(
            react(explainer, clean, vary, len(self.names), compare, self.repredict)
        )
        found["mean"] = jnp.nanmean(found["similarity"])
        if self.repredict:
            found["mean_repredicted"] = jnp.nanmean(found["similarity_repredicted"])
        return {f"{self.prefix}_{name}": value for name, value in found.items()}

    def _pixels(self, side: int) -> int:
        return round(self.shift * side) if self.shift < 1 else int(self.shift)

    def _placements(self, side: int) -> Float[np.ndarray, "transforms 2 3"]:
        step = self._pixels(side)
        every = TURNS | {name: shifted(dx * step, dy * step) for name, (dx, dy) in SHIFTS.items()}
        return np.stack(
            [
                *(every[name] for name in self.transforms),
                *(rotated(angle) for angle in self.angles),
                *(scaled(factor) for factor in self.scales),
            ]
        )

    def _prepare(self, map: Map, side: int) -> Num[AnyArray, "..."]:
        if not self.upscaled:
            return self.similarity.prepare(map)
        return replace(self.similarity, side=side).prepare(map)

    def _check(self, image: Image, map: Num[AnyArray, "*grid"]) -> int:
        """Return the side of a square image, or the height of one that is only flipped."""
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
        if self.upscaled and self.similarity.side not in (None, height):
            raise InputError(
                f"similarity compares maps of side {self.similarity.side} and the image's side "
                f"is {height}: give Similarity(side=None)"
            )
        step, window = self._pixels(height), self.similarity.window
        if any(name in SHIFTS for name in self.names) and not 1 <= step <= height - window:
            raise InputError(
                f"a shift of {step} pixels does not fit an image of side {height} with windows of "
                f"{window}: give from 1 to {height - window} pixels"
            )
        return height


PAPER_GEOMETRY = Geometry(shift=16, prefix="paper_geometry")
"""The released setting: the twelve transforms, shifts of 16 pixels, 8-bit maps enlarged.

What was released is `paper_geometry_similarity_repredicted`, the class of each transformed image being its
own, and `paper_geometry_score`. The code that compared the maps was not: it stands for SSIM of
windows of 7 x 7, where the maps overlap. `Geometry` keeps the class too, and its shifts keep their
share of the side at other sizes.
"""
