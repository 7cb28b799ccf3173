"""Faithfulness estimate: attributions of features against effects of removing each."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from salix.metrics.faithfulness.correlation import correlate
from salix.metrics.faithfulness.ranking import is_ranked
from salix.metrics.faithfulness.replacement import Replacement, replacement_image
from salix.metrics.faithfulness.segments import (
    attribute_segments,
    label_segments,
    scan_batches,
    segment_sums,
)
from salix.metrics.presets import choose_options
from salix.perturb.partition import Grid, Partition, Patches
from salix.precision import widen
from salix.typing import GridMap, Image, PRNGKey, Scalar, ScoreLike

SINGLE: Mapping[str, Mapping[str, Any]] = {
    "paper": {"partition": Grid(14), "fill": 0.0},
    "quantus": {"partition": Patches(1), "fill": "minimum"},
}


def faithfulness_estimate(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    *,
    preset: str = "paper",
    partition: Partition | None = None,
    fill: Replacement | None = None,
    chunk: int = 1,
) -> Scalar:
    r"""Correlation of each feature's attribution and the effect of removing it alone.

    Pearson correlation over the features i of $a_i$ and $f(x) - f(x_{\{i\}})$, where `fill`
    replaces feature i. In [-1, 1]; higher is better, 1 for an additive score and its exact
    attributions. Features are the segments of `partition`, and $a_i$ the sum of the map in them;
    `preset` "paper" has 14 x 14 blocks replaced by 0 (the paper leaves features open), "quantus"
    each pixel by the lowest value of the image.

    Of the explained score. Passes: features + 1, 197 by default and 50,177 for the pixels of 224 x
    224, scanned, `chunk` of them in one batch; they do not depend on the map. NaN where the map is
    constant or not finite, and where all effects are equal. Raises `InputError` for unusable
    options and a map that does not fit.

    Alvarez-Melis and Jaakkola (2018), arXiv:1806.07538, sec. 4.2.
    """
    chosen = choose_options("faithfulness_estimate", preset, SINGLE, partition=partition, fill=fill)
    labels, count = label_segments(image, chosen["partition"])
    replacement = replacement_image(chosen["fill"], score, image, key)
    start = widen(score(image))

    def remove(segment: Array) -> Array:
        return start - widen(score(jnp.where((labels == segment)[..., None], replacement, image)))

    effects = scan_batches(remove, jnp.arange(count, dtype=jnp.int32), chunk)
    attributions = attribute_segments(map, labels, count).astype(effects.dtype)
    is_segment = segment_sums(jnp.ones_like(labels), labels, count) > 0
    value = correlate(attributions, effects, is_segment)
    return jnp.where(is_ranked(map), value, jnp.nan)
