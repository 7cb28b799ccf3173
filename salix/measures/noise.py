"""How salience reacts to images unlike the training set: noise, blur and compression."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from salix.measures.reaction import react, reaction_columns
from salix.metrics.comparison import Similarity
from salix.metrics.curves import area
from salix.perturb.corruptions import grey_levels
from salix.perturb.severity import KINDS
from salix.typing import (
    Column,
    Explain,
    Explanation,
    Image,
    InputError,
    PRNGKey,
    Scalar,
    Values,
    as_explainer,
)


@dataclass(frozen=True)
class Noise:
    r"""Similarity of a map to the clean one while its image is corrupted more and more.

    `kind` is "salt_and_pepper" (levels: share of values replaced), "gaussian" (standard deviation,
    in units of [0, 1]), "blur" (sigma, in pixels) or "jpeg" (quality, falling; chroma halved).
    `levels` run from mild to severe; None takes those of `severity.KINDS`. The result is 8 bits
    again, by `eight_bit`; a value whose grey level stays is kept to the last bit. All levels share
    one draw: what a lower amount replaces a higher one replaces too, so that the draw does not add
    to the difference of two levels.

    Returns the columns of `react`, each [levels], as `prefix_…`, by default after the `kind`, and
    the mean of the similarities $s$ over the levels $l$, first to last, by the trapezoid rule:
    `prefix_area`, $\sum_j \frac{s_j + s_{j+1}}{2} \cdot \frac{l_{j+1} - l_j}{l_n - l_1}$ with the
    target fixed, and `prefix_area_repredicted`. It is $s_1$ for a single level. Range [-1, 1], higher is
    steadier; NaN if any $s_j$ is, as where a map is constant. Raises `InputError` for an unknown
    `kind` or `eight_bit`, and for levels that are none, out of range or out of order.

    Crum et al. (2023), arXiv:2303.11969; `PAPER_NOISE` is the released setting.
    """

    kind: str = "salt_and_pepper"
    levels: tuple[float, ...] | None = None
    similarity: Similarity = Similarity()  # noqa: RUF009 - it is frozen
    repredict: bool = True
    eight_bit: str = "round"
    prefix: str = ""

    def __post_init__(self):
        if self.kind not in KINDS:
            raise InputError(f"kind is {self.kind!r}: choose one of {', '.join(KINDS)}")
        if self.eight_bit not in (known := ("round", "truncate")):
            raise InputError(f"eight_bit is {self.eight_bit!r}: choose one of {', '.join(known)}")
        KINDS[self.kind].check(self.strengths)

    @property
    def strengths(self) -> tuple[float, ...]:
        """The levels, or those that None stands for."""
        levels = KINDS[self.kind].levels if self.levels is None else self.levels
        return tuple(float(level) for level in levels)

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the numbers mean."""
        kind, prefix = KINDS[self.kind], self.prefix or self.kind
        about = (
            f"{kind.title} of growing strength, to 8 bits by {self.eight_bit}; the map against "
            f"the clean one by {self.similarity} ({kind.source})."
        )
        mean = f"{about} Mean over the levels by the trapezoid rule."
        title = f"{kind.title}: mean similarity over the levels"
        areas = (
            Column(f"{prefix}_area", f"{title}, target fixed", mean, -1, 1, "higher"),
            Column(
                f"{prefix}_area_repredicted", f"{title}, target re-predicted", mean, -1, 1, "higher"
            ),
        )
        columns = reaction_columns(
            prefix, kind.title, kind.axis, self.strengths, about, self.repredict
        )
        return columns + areas[: 1 + self.repredict]

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        explainer, kind = as_explainer(explain), KINDS[self.kind]
        pixels = explainer.pixels(image)
        levels, before = jnp.asarray(self.strengths, pixels.dtype), grey_levels(pixels)

        def vary(i: Any) -> Image:
            after = grey_levels(kind.corrupt(pixels, levels[i], key), self.eight_bit)
            return jnp.where(after == before, image, explainer.image(after / 255))

        def compare(map: Any, i: Any) -> Scalar:
            del i  # the clean map is every level's reference
            return self.similarity(map, clean.map)

        columns: dict[str, Any] = {}
        columns |= react(explainer, clean, vary, len(self.strengths), compare, self.repredict)
        columns["area"] = self._mean(columns["similarity"])
        if self.repredict:
            columns["area_repredicted"] = self._mean(columns["similarity_repredicted"])
        return {f"{self.prefix or self.kind}_{name}": value for name, value in columns.items()}

    def _mean(self, values: Any) -> Scalar:
        if len(self.strengths) == 1:
            return values[0]
        return area(values, self.strengths)


PAPER_NOISE = Noise(
    "salt_and_pepper",
    KINDS["salt_and_pepper"].levels,
    Similarity("ssim", window=7, side=224, eight_bit=True),
    repredict=True,
    eight_bit="truncate",
    prefix="paper_salt_and_pepper",
)
"""The released setting: maps of 8 bits enlarged to 224 x 224, files written by truncation.

Released were `paper_salt_and_pepper_similarity_repredicted`, each noisy image explained for its own class,
and `paper_salt_and_pepper_score`. The defaults of `Noise` correct this: the clean image's class is
kept as well, so that a changed map is not a changed decision; flips stand beside it; noise is
seeded; level 0 is the clean image; maps are compared on their own grid.
"""
