"""Monotonicity as the rank correlation of attributions and expected changes of a score."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from salix.hyperparameters import check_value, integer
from salix.metrics.faithfulness.correlation import correlate_ranks
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

DRAWS = integer(1)
NGUYEN: Mapping[str, Mapping[str, Any]] = {
    "paper": {"partition": Grid(7), "samples": 10, "fill": "uniform"},
    "quantus": {"partition": Patches(1), "samples": 100, "fill": "uniform"},
}


def monotonicity_correlation(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    *,
    preset: str = "paper",
    partition: Partition | None = None,
    samples: int | None = None,
    fill: Replacement | None = None,
    chunk: int = 1,
) -> Scalar:
    r"""Rank correlation of attributions and expected squared changes of a score.

    Spearman correlation over the features i of $|a_i|$ and
    $\mathrm{E}[(f(x) - f(x_{i \leftarrow u}))^2]$, the mean over `samples` random images u of which
    `fill` draws feature i. In [-1, 1]; higher is better. Features are the segments of `partition`,
    and $a_i$ the sum of the map in them; `preset` "paper" has 7 x 7 blocks and 10 draws of uniform
    noise between black and white, "quantus" each pixel and 100 draws.

    Of the explained score. The draws depend on the key alone. Passes: features times samples, and
    one; 491 by default and 5,017,601 for the pixels of 224 x 224 by "quantus", scanned, `chunk` of
    them in one batch. NaN where the map is constant or not finite, and where all changes are equal.
    Raises `InputError` for unusable options and a map that does not fit.

    Nguyen and Martínez (2020), arXiv:2007.07584, sec. 3.2.
    """
    chosen = choose_options(
        "monotonicity_correlation", preset, NGUYEN, partition=partition, samples=samples, fill=fill
    )
    draws = check_value("samples", chosen["samples"], DRAWS)
    labels, count = label_segments(image, chosen["partition"])
    start = widen(score(image))
    keys = jax.random.split(key, draws)

    def change(index: Array) -> Array:
        draw = replacement_image(chosen["fill"], score, image, keys[index // count])
        replaced = jnp.where((labels == index % count)[..., None], draw, image)
        return (start - widen(score(replaced))) ** 2

    changes = scan_batches(change, jnp.arange(draws * count, dtype=jnp.int32), chunk)
    expected = changes.reshape(draws, count).mean(0)
    attributions = jnp.abs(attribute_segments(map, labels, count)).astype(expected.dtype)
    is_segment = segment_sums(jnp.ones_like(labels), labels, count) > 0
    value = correlate_ranks(attributions, expected, is_segment)
    return jnp.where(is_ranked(map), value, jnp.nan)
