"""Measure of where an attribution lies, segment by segment, for comparing models by regions."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.hyperparameters import FLAG, check_fields, choice, integer, number, several
from salix.measures.region_columns import SCORE_COLUMNS, array_columns
from salix.measures.region_descriptor import describe_regions
from salix.measures.region_order import greedy_order
from salix.measures.region_passes import project, region_passes
from salix.measures.region_sums import block_means, nearest_labels, segment_boxes, segment_sums
from salix.metrics.explainer import as_explainer
from salix.perturb.fills import FILLS, fill_image
from salix.perturb.segmentation import SEGMENTATION, SLIC
from salix.precision import widen
from salix.typing import (
    HOW_TO_CUT,
    Column,
    Explain,
    Explainer,
    Explanation,
    Image,
    InputError,
    PRNGKey,
    Scalar,
    Values,
)

EMBEDDINGS = ("descriptor", "features")


@dataclass(frozen=True)
class Regions:
    r"""Mass of an attribution in every segment of the image, and what each segment looks like.

    With $a_p$ the sum of the attribution's channels at pixel p, enlarged linearly where it is on a
    grid and divided by the enlargement: `region_mass` $\sum_{p \in s} a_p$ and `region_absolute`
    $\sum_{p \in s} |a_p|$, in units of the score, `region_area` as a share of the image, and
    `region_rank`, the place in `greedy_order` until the share `cover` of the image is covered.
    `region_drop` is the score minus that of the image with the segment filled, see `fill_image`;
    NaN without `occlusion`. `embeddings` are "descriptor", of `describe_regions`, and "features":
    those of the model's trunk for the segment's crop, see `region_passes`, averaged over their
    grid and projected to `dimensions`. `region_labels`, `region_attribution` and
    `region_absolute_map` draw segments, $a$ and $|a|$ on a grid of `side` x `side`, the last two in
    multiples of the image's mean $|a|$. `region_completeness` is $\sum a - (f(x) - f(x'))$, NaN
    for a method without baselines x'.

    Arrays [regions] have an entry for each label of the `segmentation`; the area of labels that an
    image lacks is 0. Where the attribution is not finite all that depends on it is NaN, and no
    segment is ranked, as where it is zero everywhere. Passes of the model: one a segment for
    `occlusion`, one for "features", in batches of `chunk`. Raises `InputError` for an explanation
    without segments or attribution, for features of a model without a trunk, and for unusable
    fields.

    After the published description of IMACS: Schoop et al. (2022), arXiv:2201.11196.
    """

    segmentation: Any = field(default_factory=SLIC)
    cover: float = 0.25
    side: int = 56
    embeddings: tuple[str, ...] = EMBEDDINGS
    dimensions: int = 64
    fill: str = "mean"
    occlusion: bool = True
    chunk: int = 1

    def __post_init__(self) -> None:
        check_fields(
            self,
            segmentation=SEGMENTATION,
            cover=number(lambda c: 0 < c <= 1, remedy="give a share above 0, at most 1"),
            side=integer(1),
            embeddings=several(
                choice(EMBEDDINGS),
                remedy=f"give some of {', '.join(EMBEDDINGS)}, each once, or ()",
                low=0,
                unique=True,
            ),
            dimensions=integer(1),
            fill=choice(FILLS),
            occlusion=FLAG,
            chunk=integer(1),
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        """The description of each column."""
        return (*SCORE_COLUMNS, *array_columns(self.embeddings, self.fill))

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        explainer, image, count = as_explainer(explain), jnp.asarray(image), self.segmentation.count
        if clean.segments is None or clean.attribution is None:
            raise InputError(
                "Regions measures the segments of a sweep: call salix.sweep, or give the "
                "Explanation attribution=… and segments=…"
            )
        if "features" in self.embeddings and explainer.trunk is None:
            raise InputError(
                "Regions needs the features of a trunk: give "
                f"Regions(embeddings=('descriptor',)), or {HOW_TO_CUT}"
            )
        segments, space = jnp.asarray(clean.segments).astype(jnp.int32), image.shape[:-1]
        if len(space) != 2 or segments.shape[1:] != space:
            raise InputError(
                f"Regions measures images [h w c] and segments [levels h w], not {image.shape} and "
                f"{segments.shape}"
            )
        a = sum_channels(clean.attribution, space)
        finite = jnp.isfinite(a).all()
        mean = jnp.abs(a).mean()
        planes = jnp.stack([a, jnp.abs(a), jnp.ones_like(a)], -1)
        mass, absolute, area = segment_sums(planes, segments, count).T
        boxes = segment_boxes(segments, count)
        pixels = jnp.asarray(explainer.pixels(image))
        replacement = None
        if self.occlusion:
            replacement = explainer.image(fill_image(pixels, key, self.fill))
        passes: Values = {}
        if self.occlusion or "features" in self.embeddings:
            passes = region_passes(
                explainer,
                image,
                clean.target,
                segments,
                boxes,
                replacement=replacement,
                features="features" in self.embeddings,
                chunk=self.chunk,
            )
        score = explainer.score_of(clean.logits, clean.target)
        drop = score - passes.get("score", jnp.full(count, jnp.nan))
        values = {
            "region_count": (area > 0).sum(dtype=jnp.int32),
            "region_total": a.sum(),
            "region_absolute_total": jnp.abs(a).sum(),
            "region_completeness": a.sum()
            - (score - self._baseline_score(explainer, image, clean)),
            "region_area": area / a.size,
            "region_mass": jnp.where(finite, mass, jnp.nan),
            "region_absolute": jnp.where(finite, absolute, jnp.nan),
            "region_rank": greedy_order(
                jnp.abs(a), segments, count, self.cover, finite & (mean > 0)
            ),
            "region_drop": jnp.where(area > 0, drop, jnp.nan),
            "region_labels": nearest_labels(segments, self.side).astype(jnp.uint16),
        }
        for name, map in {"attribution": a, "absolute_map": jnp.abs(a)}.items():
            multiples = block_means(map, self.side) / jnp.where(mean > 0, mean, jnp.nan)
            values[f"region_{name}"] = multiples.astype(jnp.float16)
        if "descriptor" in self.embeddings:
            values["region_descriptor"] = describe_regions(pixels, segments, boxes)
        if "features" in self.embeddings:
            projected = project(passes["features"], self.dimensions)
            values["region_features"] = jnp.where(area[:, None] > 0, projected, 0)
        return values

    def _baseline_score(self, explainer: Explainer, image: Image, clean: Explanation) -> Scalar:
        """Return the mean score of the method's baselines; NaN where it has none."""
        if explainer.baselines is None:
            return jnp.full((), jnp.nan, jnp.float32)
        starts = jnp.stack([jnp.asarray(start) for start in explainer.baselines(image)])
        return jax.lax.map(lambda start: explainer.score(start, clean.target), starts).mean()


def sum_channels(attribution: Any, space: tuple[int, int]) -> Float[Array, "h w"]:
    """Return the sum over the channels of an attribution [*grid c] at every pixel of an image.

    Enlarged linearly and divided by the enlargement, so that the sum over the grid stays where the
    enlargement is by whole factors. Raises `InputError` for other than two spatial axes.
    """
    if attribution.ndim != 3:
        raise InputError(
            f"Regions measures attributions [h w c], and the method returns {attribution.shape}: "
            "divide the model where its features are on a grid, model.at(cut)"
        )
    a = widen(attribution).sum(-1)
    if a.shape == space:
        return a
    return jax.image.resize(a, space, "linear") * (a.size / (space[0] * space[1]))
