"""Monotonicity: whether features revealed in rising order of importance never lower a score."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from salix.hyperparameters import check_value, number
from salix.metrics.faithfulness.ranking import is_ranked
from salix.metrics.faithfulness.replacement import Replacement, replacement_image
from salix.metrics.faithfulness.segments import label_segments, order_segments, scan_batches
from salix.metrics.presets import choose_options
from salix.perturb.partition import Grid, Partition, Patches
from salix.precision import widen
from salix.typing import GridMap, Image, PRNGKey, Scalar, ScoreLike

TOLERANCE = number(lambda n: n >= 0, remedy="give a number, 0 or more")
ARYA: Mapping[str, Mapping[str, Any]] = {
    "paper": {"partition": Grid(14), "fill": 0.0},
    "quantus": {"partition": Patches(1), "fill": "minimum"},
}


def monotonicity(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    *,
    preset: str = "paper",
    partition: Partition | None = None,
    fill: Replacement | None = None,
    tolerance: float | int = 0.0,
    chunk: int = 1,
) -> Scalar:
    r"""Whether features revealed in rising order of importance never lower a score: 1 or 0.

    From an image of `fill` the features are restored one after another, least relevant first:
    1 if $v_{k+1} \geq v_k - \text{tolerance}$ for k = 1 … n - 1, where $v_k$ is the score with k
    features restored. Higher is better; its mean over images is the share of monotone ones.
    Features are the segments of `partition`, in the order of the map's mean: 14 x 14 blocks and 0
    in `preset` "paper" (which leaves features open), each pixel and the image's lowest value in
    "quantus". A score that rounds may need a `tolerance`, in its units.

    Of the softmax probability of the target. Passes: one a feature, 196 by default and 50,176 for
    the pixels of 224 x 224, scanned, `chunk` of them in one batch. NaN where the map is constant or
    not finite. Raises `InputError` for unusable options and a map that does not fit.

    Arya et al. (2019), arXiv:1909.03012, sec. 5; as the metric of AI Explainability 360.
    """
    chosen = choose_options("monotonicity", preset, ARYA, partition=partition, fill=fill)
    check_value("tolerance", tolerance, TOLERANCE)
    labels, count = label_segments(image, chosen["partition"])
    replacement = replacement_image(chosen["fill"], score, image, key)
    places = order_segments(map, labels, count, "least", key)[0][labels]

    def reveal(number: Array) -> Array:
        return widen(score(jnp.where((places < number)[..., None], image, replacement)))

    values = scan_batches(reveal, jnp.arange(1, count + 1, dtype=jnp.int32), chunk)
    monotone = (jnp.diff(values) >= -tolerance).all().astype(values.dtype)
    return jnp.where(is_ranked(map) & jnp.isfinite(values).all(), monotone, jnp.nan)
