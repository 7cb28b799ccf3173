"""How a model takes the loss of what it looks at, and of what it does not: guided blur."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from salix.measures.reaction import react, reaction_columns
from salix.metrics import to_8_bit
from salix.metrics.arrays import Other
from salix.metrics.comparison import Similarity, enlarge
from salix.perturb.blur import LEVELS, STRIDES, blur, fold
from salix.typing import (
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

CONDITIONS = {
    "background": "the least salient blurred most",
    "object": "the most salient blurred most",
    "background_moved": "the background of the map moved to a random place",
    "object_moved": "the object of the map moved to a random place",
}
SMOOTH = 5.0  # sigma, in pixels, that the enlarged map is smoothed by
STRENGTHS = np.geomspace(0.5, 6, 16)  # what levels are multiplied by, in search of a change
# The level of a grey value (column) in a map of a maximum (row) as released, in 64 bits: an eighth
# of all maxima have values half-way between two levels, that 32 bits may round the other way.
GREY = np.arange(256)
RELEASED = (100 - np.rint(10 * np.around(GREY / (np.maximum(GREY, 1)[:, None] / 10), 1))).astype(
    np.int32
)
LATTICE = 56  # pixels a side that the search looks at
SPARE = 1.1

Levels = Int[Array, "h w"]  # of `blur`, one a pixel
Planes = Float[Array, "c h w"]


@dataclass(frozen=True)
class Degradation:
    r"""Reaction of model and map to an image blurred where its map is low, or where it is high.

    The map, enlarged bicubically to the image and smoothed by a sigma of 5 pixels, is
    $z = 10 S / \max S$, rounded to 0.1. A pixel takes the value of the image blurred by
    $\sigma = b^4 / 10^3$ pixels, $b = 10 - z$. `conditions` are "background" (this recipe) and "object"
    (the same on 1 - S); and, as controls that leave the model's choice out, "background_moved" and
    "object_moved", of the map rolled around by a random shift.

    As released the conditions differ in strength many times. So `change` is the mean absolute change of
    pixels, in [0, 1], that all conditions are brought to: b is multiplied by the least of 16 factors
    from 0.5 to 6 that reaches it (never above 10, so that flat images may fall short), and the
    result is mixed with the clean image to meet it. None keeps the published strength. With
    `eight_bit` map and image have 8 bits, truncated after every step, as released.

    Returns the columns of `react`, each [conditions], named `prefix_…`, with `similarity` to the clean
    map, target fixed and, if `repredict`, target re-predicted; and `prefix_change`, the change that was made, in
    [0, 1]. All are NaN where the map is constant. One pass of the model an condition, as `react` counts; the
    blurs of all conditions together take a third of a ResNet-50's pass, twice that where a change is
    sought or with 8 bits. `PAPER_DEGRADATION` is the released setting. Raises `InputError` for conditions
    that are none, unknown or named twice, for a change outside (0, 1), and for images that are not
    square.

    Crum et al. (2023), arXiv:2303.11969, salience-based image degradation.
    """

    conditions: tuple[str, ...] = tuple(CONDITIONS)
    change: float | None = 0.02
    similarity: Similarity = Similarity()  # noqa: RUF009 - it is frozen
    repredict: bool = True
    eight_bit: bool = False
    prefix: str = "degradation"

    def __post_init__(self):
        if (
            not self.conditions
            or set(self.conditions) - set(CONDITIONS)
            or len(set(self.conditions)) < len(self.conditions)
        ):
            raise InputError(
                f"conditions are {self.conditions}: give some of {', '.join(CONDITIONS)}, each once"
            )
        if self.change is not None and not 0 < self.change < 1:
            raise InputError(
                f"change is {self.change}: give a mean change of pixels above 0 and below 1, "
                "or None for the published strength"
            )

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the numbers mean."""
        strength = f"mean change {self.change}" if self.change else "published strength"
        about = (
            f"Blur guided by salience, {strength}: "
            + "; ".join(f"{condition}, {CONDITIONS[condition]}" for condition in self.conditions)
            + f". Maps against the clean one by {self.similarity} "
            "(Crum et al., 2023, arXiv:2303.11969)."
        )
        title = "Salience-guided blur"
        return (
            *reaction_columns(self.prefix, title, "condition", self.conditions, about, self.repredict),
            Column(
                f"{self.prefix}_change", f"{title}: mean change of pixels", about,
                0, 1, "", "condition", self.conditions,
            ),
        )  # fmt: skip

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        explainer = as_explainer(explain)
        pixels = explainer.pixels(image)
        degraded, change = self.degrade(pixels, clean.map, key)

        def compare(map: Map, i: Any) -> Scalar:
            del i
            return self.similarity(map, clean.map)

        def vary(i: Any) -> Image:
            return explainer.image(degraded[i])

        found = react(explainer, clean, vary, len(self.conditions), compare, self.repredict)
        alive = clean.map.max() > 0
        return {
            f"{self.prefix}_{name}": jnp.where(alive, value, jnp.nan)
            for name, value in {**found, "change": change}.items()
        }

    def degrade(
        self, pixels: Image, map: Other, key: PRNGKey
    ) -> tuple[Float[Array, "conditions h w c"], Float[Array, " conditions"]]:
        """Return the degraded images of all conditions, values of a file in [0, 1], and their changes.

        `pixels` are values of a file, and `map` is scaled to [0, 1].
        """
        if pixels.ndim != 3 or pixels.shape[0] != pixels.shape[1]:
            raise InputError(f"an image of shape {pixels.shape} is not square: resize or crop it")
        planes = jnp.moveaxis(jnp.asarray(pixels) * 255, -1, 0)
        if self.eight_bit:
            planes = jnp.round(planes)
        levels = jnp.stack(
            [self._levels(condition, map, planes.shape[1], key) for condition in self.conditions]
        )
        if self.change is not None:
            levels = _strengthen(
                levels, _factors(planes, levels, self.change * 255, self.eight_bit)
            )
        conditions = _blurred(planes, levels, self.eight_bit)
        moved = conditions - planes[None]
        if self.change is not None:
            reached = jnp.abs(moved).mean((1, 2, 3), keepdims=True)
            share = jnp.minimum(1, self.change * 255 / jnp.where(reached > 0, reached, jnp.inf))
            moved = moved * share
            conditions = planes[None] + moved
            if self.eight_bit:
                conditions = jnp.floor(conditions)
                moved = conditions - planes[None]
        return jnp.moveaxis(conditions, 1, -1) / 255, jnp.abs(moved).mean((1, 2, 3)) / 255

    def _levels(self, condition: str, map: Map, side: int, key: PRNGKey) -> Levels:
        """Return the level of blur of every pixel: 100 - round(100 S / max S)."""
        seen = move(map, key) if condition.endswith("_moved") else jnp.asarray(map)
        large = enlarge(to_8_bit(seen) if self.eight_bit else seen, side).astype(jnp.float32)
        if condition.startswith("object"):
            large = (255 if self.eight_bit else 1) - large
        smooth = blur(large[None], SMOOTH, self.eight_bit)[0]
        most = smooth.max()
        if self.eight_bit:
            return jnp.asarray(RELEASED)[most.astype(jnp.int32)][smooth.astype(jnp.int32)]
        relative = 100 * smooth / jnp.where(most > 0, most, 1)
        return LEVELS - 1 - jnp.round(relative).astype(jnp.int32)


def move(map: Map, key: PRNGKey) -> Map:
    """Roll a map around by a random number of cells along each axis, all equally likely.

    Its values and its texture stay; only where they are is chance.
    """
    cells = jax.random.randint(key, (map.ndim,), 0, jnp.array(map.shape))
    return jnp.roll(jnp.asarray(map), tuple(cells), tuple(range(map.ndim)))


PAPER_DEGRADATION = Degradation(
    ("background", "object"),
    change=None,
    similarity=Similarity("ssim", window=7, side=224, eight_bit=True),
    eight_bit=True,
    prefix="paper_degradation",
)
"""The released setting: maps and images of 8 bits, conditions as unequal in strength as they fall."""


def _strengthen(levels: Any, factor: Any) -> Any:
    stronger = jnp.round(levels.astype(jnp.float32) * factor).astype(jnp.int32)
    return jnp.minimum(stronger, LEVELS - 1)


def _blurred(
    planes: Planes, levels: Int[Array, "conditions h w"], eight_bit: bool
) -> Float[Array, "conditions c h w"]:
    """Return the image of every condition: each pixel of the image blurred by the pixel's own level."""

    def add(conditions: Array, level: Array, wide: Planes) -> Array:
        return jnp.where((levels == level)[:, None], wide[None], conditions)

    return fold(planes, add, jnp.repeat(planes[None], levels.shape[0], 0), eight_bit)


def _factors(
    planes: Planes, levels: Int[Array, "conditions h w"], change: float, eight_bit: bool
) -> Float[Array, "conditions 1 1"]:
    """Return the least strength of each condition that changes pixels by so many grey levels on average.

    The last where none does. A level changes a pixel alike in all conditions and strengths, so that one
    fold over the bank weighs them all, on a lattice of 3000 pixels or some more, with a tenth to
    spare for what those may be off by.
    """
    stride = max(s for s in STRIDES if s * LATTICE <= max(planes.shape[1], LATTICE))
    factors = jnp.asarray(STRENGTHS, planes.dtype)
    seen = planes[:, ::stride, ::stride]
    taken = _strengthen(levels[:, None, ::stride, ::stride], factors.reshape(1, -1, 1, 1))

    def add(changes: Array, level: Array, wide: Planes) -> Array:
        return changes.at[level].set(jnp.abs(wide - seen).mean(0).ravel())

    none = jnp.zeros((LEVELS, seen[0].size), planes.dtype)
    changes = fold(planes, add, none, eight_bit, stride)
    taken = taken.reshape(*taken.shape[:2], -1)
    sums = changes[taken, jnp.arange(seen[0].size)].sum(-1)
    enough = sums / seen[0].size >= SPARE * change
    first = jnp.where(enough.any(1), enough.argmax(1), factors.size - 1)
    return factors[first].reshape(-1, 1, 1)
