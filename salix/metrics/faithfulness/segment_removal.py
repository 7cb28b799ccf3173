"""Iterative removal of features (IROF): a relative score while segments are replaced."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from salix.metrics.faithfulness.curves import Curve
from salix.metrics.faithfulness.relevance_order import ALL, remove_regions
from salix.metrics.faithfulness.replacement import Replacement
from salix.metrics.presets import choose_options
from salix.perturb.partition import Partition, Superpixels
from salix.typing import GridMap, Image, PRNGKey, ScoreLike

SEGMENTS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"partition": Superpixels(), "fill": "mean"},
}


def irof(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    *,
    preset: str = "paper",
    partition: Partition | None = None,
    fill: Replacement | None = None,
    chunk: int = 1,
) -> Curve:
    r"""Area over the curve of a relative score while segments are replaced (IROF).

    $v_k = f(x^{(k)}) / f(x)$ with the k segments of the greatest mean attribution replaced, by
    default superpixels by each channel's mean; k = 0 … n. The area is that over the curve,
    $\int_0^1 1 - v(q)\,dq$ over the share q of the segments by the trapezoid rule: at most 1 for a
    score of at least 0; a higher one means a better map. `fractions` are the shares q. Quantus
    returns n times this area. Of the softmax probability of the target.

    A partition of fewer segments than its bound ends in steps that change nothing. Passes: the
    bound + 1, 51 by default, `chunk` of them in one batch. NaN where the map is constant or not
    finite, and where f(x) is 0. Raises `InputError` for unusable options and a map that does not
    fit.

    Rieger and Hansen (2020), arXiv:2003.08747, sec. 3.
    """
    chosen = choose_options("irof", preset, SEGMENTS, partition=partition, fill=fill)
    curve = remove_regions(
        score, image, map, key, "most", steps=ALL, per_step=1, chunk=chunk, **chosen
    )
    start = jnp.where(curve.values[0] == 0, jnp.nan, curve.values[0])
    return Curve(curve.fractions, curve.values / start, 1 - curve.area / start)
