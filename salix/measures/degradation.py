"""Reaction of model and map to salience-guided blur of the image."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.hyperparameters import FLAG, TEXT, check_fields, number, optional
from salix.measures.conditions import enlarge_to_image, roll_map, some_of
from salix.measures.guided_blur import BlurLevels, blur_by_levels, blur_levels
from salix.measures.variants import measure_variants, variant_columns
from salix.metrics import Similarity
from salix.metrics.comparison import SIMILARITY
from salix.metrics.explainer import as_explainer
from salix.typing import Column, Explain, Explanation, GridMap, Image, InputError, PRNGKey, Values

CONDITIONS = {
    "background": "the least salient blurred most",
    "object": "the most salient blurred most",
    "background_moved": "the background of the map moved to a random place",
    "object_moved": "the object of the map moved to a random place",
}

CHANGE = optional(
    number(lambda n: 0 < n < 1),
    remedy="give a mean change of pixels above 0 and below 1, or None for the published strength",
)


@dataclass(frozen=True)
class Degradation:
    r"""Reaction of model and map to an image blurred where its map is low, or where it is high.

    The map, enlarged bicubically to the image and smoothed by a sigma of 5 pixels, is
    $z = 10 S / \max S$, rounded to 0.1. A pixel is replaced by the image blurred by
    $\sigma = b^4 / 10^3$ pixels, $b = 10 - z$, as a sum of 16 blurs that differs from it by at most
    1.4e-4 of the image's range, or exactly with `eight_bit`. `conditions` are "background" (this
    recipe) and "object" (the same on 1 - S); and, as controls independent of where the model looks,
    "background_moved" and "object_moved", of the map rolled around by a random shift.

    As released the conditions differ in strength many times. So `change` is the mean absolute
    change of pixels, in [0, 1], of every condition: b is multiplied by the smallest of 16 factors
    from 0.5 to 6 that reaches it (never above 10, so that flat images may fall short), and the
    result is mixed with the clean image to meet it. None is the published strength. With
    `eight_bit` map and image have 8 bits, truncated after every step, as released.

    Returns the columns of `measure_variants`, each [conditions], named `prefix_…`, with
    `similarity` to the clean map, on its own grid or if `upscaled` enlarged to the image, target
    fixed and, if `repredict`, target re-predicted; and `prefix_change`, the change that was made,
    in [0, 1]. All are NaN where the map is constant. One pass of the model a condition, counted as
    in `measure_variants`; the blurs of all conditions together take a 50th of the multiplications
    of a ResNet-50's pass, five times that with 8 bits. `PAPER_DEGRADATION` is the released setting.
    Raises `InputError` for conditions that are none, unknown or repeated, for a change outside
    (0, 1), and for images that are not square.

    Crum et al. (2023), arXiv:2303.11969, salience-based image degradation.
    """

    conditions: tuple[str, ...] = tuple(CONDITIONS)
    change: float | None = 0.02
    similarity: Similarity = Similarity()  # noqa: RUF009 - it is frozen
    repredict: bool = True
    upscaled: bool = False
    eight_bit: bool = False
    prefix: str = "degradation"

    def __post_init__(self):
        check_fields(
            self,
            conditions=some_of(CONDITIONS),
            change=CHANGE,
            similarity=SIMILARITY,
            repredict=FLAG,
            upscaled=FLAG,
            eight_bit=FLAG,
            prefix=TEXT,
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        """The description of each column."""
        strength = f"mean change {self.change}" if self.change else "published strength"
        conditions = "; ".join(f"{name}, {CONDITIONS[name]}" for name in self.conditions)
        grid = ", enlarged to the image" if self.upscaled else ""
        meaning = (
            f"Blur guided by salience, {strength}: {conditions}. Maps against the clean one by "
            f"{self.similarity}{grid} (Crum et al., 2023, arXiv:2303.11969)."
        )
        title, over = "Salience-guided blur", ("condition", self.conditions)
        variants = variant_columns(self.prefix, title, meaning, *over, repredict=self.repredict)
        name, title = f"{self.prefix}_change", f"{title}: mean change of pixels"
        return (*variants, Column(name, title, meaning, 0, 1, "", *over))

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        explainer = as_explainer(explain)
        similarity = enlarge_to_image(self.similarity, image) if self.upscaled else self.similarity
        degraded, change = self.degrade(explainer.pixels(image), clean.map, key)

        values = measure_variants(
            explainer, clean, lambda i: explainer.image(degraded[i]), len(self.conditions),
            lambda map, _: similarity(map, clean.map), repredict=self.repredict,
        )  # fmt: skip
        values["change"] = change
        has_contrast = clean.map.max() > 0
        return {
            f"{self.prefix}_{name}": jnp.where(has_contrast, value, jnp.nan)
            for name, value in values.items()
        }

    def degrade(
        self, pixels: Image, map: GridMap, key: PRNGKey
    ) -> tuple[Float[Array, "conditions h w c"], Float[Array, " conditions"]]:
        """Return the degraded images of all conditions and their mean changes, both in [0, 1].

        `pixels` are values in [0, 1], and `map` is scaled to [0, 1].
        """
        if pixels.ndim != 3 or pixels.shape[0] != pixels.shape[1]:
            raise InputError(f"an image of shape {pixels.shape} is not square: resize or crop it")
        planes = jnp.moveaxis(jnp.asarray(pixels) * 255, -1, 0)
        if self.eight_bit:
            planes = jnp.round(planes)

        def levels(condition: str) -> BlurLevels:
            moved = condition.endswith("_moved")
            source = roll_map(map, key) if moved else jnp.asarray(map)
            invert, side = condition.startswith("object"), planes.shape[1]
            return blur_levels(source, side, invert=invert, eight_bit=self.eight_bit)

        change = None if self.change is None else self.change * 255
        stacked = jnp.stack([levels(condition) for condition in self.conditions])
        degraded, difference = blur_by_levels(
            planes, stacked, change=change, eight_bit=self.eight_bit
        )
        changes = jnp.abs(difference).mean((1, 2, 3)) / 255
        return jnp.moveaxis(degraded, 1, -1) / 255, changes


PAPER_DEGRADATION = Degradation(
    ("background", "object"),
    change=None,
    similarity=Similarity("ssim", window=7, eight_bit=True),
    upscaled=True,
    eight_bit=True,
    prefix="paper_degradation",
)
"""The released setting: 8 bits, maps enlarged to the image, conditions at published strength."""
