"""Stability of maps under image corruptions of rising severity: noise, blur, compression."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from salix.hyperparameters import FLAG, TEXT, check_fields, choice, optional
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
from salix.metrics.faithfulness.curves import trapezoid_mean
from salix.perturb.corruptions import CORRUPTIONS
from salix.perturb.grey import ROUNDINGS, grey_levels
from salix.typing import Column, Explain, Explanation, Image, PRNGKey, Values


@dataclass(frozen=True)
class Noise:
    r"""Similarity of a map to the clean one under corruptions of rising severity.

    `kind` is "salt_and_pepper" (levels: share of values replaced), "gaussian" (standard deviation,
    in units of [0, 1]), "blur" (sigma, in pixels) or "jpeg" (quality, falling; chroma halved).
    `levels` run from mild to severe; None means those of `CORRUPTIONS`. The corrupted image is
    quantised to 8 bits by `eight_bit`; a value whose grey level does not change is unchanged to the
    last bit. Maps are compared on their own grid, or if `upscaled` enlarged to the side of the
    image, which is square then. All levels share one draw: a higher amount also replaces what a
    lower one replaces, so that the draw does not add to the difference of two levels.

    Returns the columns of `measure_variants`, each [levels], as `prefix_…`, by default after the
    `kind`, and the mean of the similarities $s$ over the levels $l$, first to last, by the
    trapezoid rule: `prefix_area`,
    $\sum_j \frac{s_j + s_{j+1}}{2} \cdot \frac{l_{j+1} - l_j}{l_n - l_1}$ with the target fixed,
    and `prefix_area_repredicted`. It is $s_1$ for a single level. Range [-1, 1], higher is
    steadier; NaN if any $s_j$ is, as where a map is constant. Raises `InputError` for an unknown
    `kind` or `eight_bit`, and for levels that are none, out of range or out of order.

    Crum et al. (2023), arXiv:2303.11969; `PAPER_NOISE` is the released setting.
    """

    kind: str = "salt_and_pepper"
    levels: tuple[float, ...] | None = None
    similarity: Similarity = Similarity()  # noqa: RUF009 - it is frozen
    repredict: bool = True
    upscaled: bool = False
    eight_bit: str = "round"
    prefix: str = ""

    def __post_init__(self):
        check_fields(
            self,
            kind=choice(CORRUPTIONS),
            similarity=SIMILARITY,
            repredict=FLAG,
            upscaled=FLAG,
            eight_bit=choice(ROUNDINGS),
            prefix=TEXT,
        )
        check_fields(self, levels=optional(CORRUPTIONS[self.kind].strengths))

    @property
    def strengths(self) -> tuple[float, ...]:
        """The levels, or the default levels of the kind."""
        levels = CORRUPTIONS[self.kind].levels if self.levels is None else self.levels
        return tuple(float(level) for level in levels)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The description of each column."""
        corruption, prefix = CORRUPTIONS[self.kind], self.prefix or self.kind
        grid = ", enlarged to the image" if self.upscaled else ""
        meaning = (
            f"{corruption.title} of growing strength, to 8 bits by {self.eight_bit}; the map "
            f"against the clean one by {self.similarity}{grid} ({corruption.source})."
        )
        columns = variant_columns(
            prefix,
            corruption.title,
            meaning,
            corruption.axis,
            self.strengths,
            repredict=self.repredict,
        )
        title = f"{corruption.title}: mean similarity over the levels"
        mean = f"{meaning} Mean over the levels by the trapezoid rule."
        return columns + mean_columns(prefix, "area", title, mean, repredict=self.repredict)

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        explainer, corruption = as_explainer(explain), CORRUPTIONS[self.kind]
        similarity = enlarge_to_image(self.similarity, image) if self.upscaled else self.similarity
        pixels = explainer.pixels(image)
        levels, before = jnp.asarray(self.strengths, pixels.dtype), grey_levels(pixels)
        draw = corruption.draw(pixels, key)

        def corrupt(i: Any) -> Image:
            after = grey_levels(corruption.apply(pixels, levels[i], draw), self.eight_bit)
            return jnp.where(after == before, image, explainer.image(after / 255))

        values = measure_variants(
            explainer, clean, corrupt, len(self.strengths),
            lambda map, _: similarity(map, clean.map), repredict=self.repredict,
        )  # fmt: skip
        values |= similarity_means(values, "area", lambda s: trapezoid_mean(s, self.strengths))
        return {f"{self.prefix or self.kind}_{name}": value for name, value in values.items()}


PAPER_NOISE = Noise(
    "salt_and_pepper",
    CORRUPTIONS["salt_and_pepper"].levels,
    Similarity("ssim", window=7, eight_bit=True),
    repredict=True,
    upscaled=True,
    eight_bit="truncate",
    prefix="paper_salt_and_pepper",
)
"""The released setting: maps of 8 bits enlarged to the image, files written by truncation.

`paper_salt_and_pepper_similarity_repredicted`, each noisy image explained for its own class, and
`paper_salt_and_pepper_score` were released. The defaults of `Noise` correct this: similarities are
also computed with the target fixed, so that a changed map is not a changed decision; flips are
reported too; noise is seeded; level 0 is the clean image; maps are compared on their native grid.
"""
