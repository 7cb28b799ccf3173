"""Deletion and insertion curves: a score while ranked pixels are replaced or restored."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from salix.hyperparameters import check_value, either, integer, number, several
from salix.metrics.faithfulness.curve_presets import DELETION, INSERTION
from salix.metrics.faithfulness.ranking import (
    Ranks,
    is_ranked,
    order_pixels,
    pixel_counts,
    rank_pixels,
)
from salix.metrics.faithfulness.replacement import replace_pixels
from salix.metrics.presets import choose_options
from salix.typing import AnyArray, GridMap, Image, PRNGKey, Scalar, ScoreLike

Fractions = tuple[float | int, ...]
Black = float | tuple[float, ...]  # one number, or one a channel
_LEVEL = number(traced=True)
BLACK = either(
    _LEVEL, several(_LEVEL, remedy=""), remedy="give a finite number, or one for each channel"
)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Curve:
    """A score at each share of replaced pixels, and its mean over the shares (area under it).

    Under `vmap` every field has the batch's axis in front.
    """

    fractions: Float[AnyArray, "*batch steps"]
    values: Float[AnyArray, "*batch steps"]
    area: Float[AnyArray, "*batch"]


def deletion(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    *,
    preset: str = "default",
    fractions: Fractions | None = None,
    fill: str | None = None,
    order: str = "most",
    black: Black | None = None,
    chunk: int = 1,
) -> Curve:
    r"""Score of an image while its pixels are replaced in the order of a map.

    $v_j = f(x \text{ with its first } \mathrm{round}(q_j n) \text{ of } n \text{ pixels replaced})$
    at `fractions` $q_j$, in units of the score; the area is the trapezoid's, over the range of the
    fractions: $\sum_j (v_j + v_{j+1})(q_{j+1} - q_j) / 2 (q_m - q_1)$. `order` is "most" or "least"
    salient first (lower and higher areas mean a better map), or "random" pixels, independent of
    the map. Pixels of equal salience follow each other evenly spread over the image, so that each
    step replaces exactly the stated number. A pixel has all its channels. A map of a smaller grid
    is enlarged linearly.

    `fill` gives the replacements: "blur", the image blurred by a sigma of a twentieth of its side;
    "mean", each channel's mean; "black", the value `black` in the image's units (0 where images
    are in [0, 1]; one number, or one a channel); "noise", normal with each channel's mean and
    deviation; "kernel", the blur of RISE's released code. Numbers of other libraries differ in
    steps, fill, score and area: `preset` "default" has eleven fractions and the blur, "xplique" the
    same fractions with 0, and "rise" is the paper's released procedure, 224 equal steps (of 224
    pixels at 224 x 224) with 0. `fractions`, `fill` and `black` override it.

    Steps are scanned, `chunk` of them in one batch; each is one pass of the score. NaN where the
    map is constant or not finite, unless in random order. Raises `InputError` for an unknown
    preset, fill or order, for fractions that are not two or more, rising, in [0, 1], and for a map
    that does not have the image's axes, or is larger.

    Petsiuk, Das and Saenko (2018), arXiv:1806.07421; most and least salient first as MoRF and LeRF
    in Samek et al. (2017), arXiv:1509.06321.
    """
    chosen = choose_options(
        "deletion", preset, DELETION, fractions=fractions, fill=fill, black=black
    )
    replacement, ranks = _fill_and_rank(image, map, key, order, chosen)
    counts = pixel_counts(chosen["fractions"], ranks.size)
    values = evaluate_steps(score, image, replacement, ranks, counts, chunk=chunk)
    return _as_curve(values, map, order, chosen["fractions"])


def insertion(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    *,
    preset: str = "default",
    fractions: Fractions | None = None,
    fill: str | None = None,
    order: str = "most",
    black: Black | None = None,
    chunk: int = 1,
) -> Curve:
    """Score of a filled image while the pixels of the image are restored in the order of a map.

    As `deletion`, from the filled image to the complete one: most salient first, a higher area
    means a better map. `preset` "rise" starts from the blur of the released code, "kernel".

    Petsiuk, Das and Saenko (2018), arXiv:1806.07421.
    """
    chosen = choose_options(
        "insertion", preset, INSERTION, fractions=fractions, fill=fill, black=black
    )
    replacement, ranks = _fill_and_rank(image, map, key, order, chosen)
    counts = pixel_counts(chosen["fractions"], ranks.size)
    values = evaluate_steps(score, replacement, jnp.asarray(image), ranks, counts, chunk=chunk)
    return _as_curve(values, map, order, chosen["fractions"])


def evaluate_steps(
    evaluate: Callable[[Image], Any],
    before: Image,
    after: Image,
    ranks: Ranks,
    counts: Any,
    *,
    chunk: int = 1,
) -> Any:
    """Evaluate `before` with its first pixels taken from `after`, for each count, in a scan."""
    check_value("chunk", chunk, integer(1))
    places = order_pixels(ranks)

    def step(count: Array) -> Any:
        return evaluate(jnp.where((places < count)[..., None], after, before))

    counts = jnp.asarray(counts)
    return lax.map(
        step, counts, batch_size=None if chunk == 1 else min(chunk, math.prod(counts.shape))
    )


def trapezoid_mean(values: Float[AnyArray, " steps"], points: Sequence[float | int]) -> Scalar:
    """Return the mean of a curve over the range of its points, by the trapezoid rule.

    The value itself for a single point.
    """
    if len(points) == 1:
        return values[0]
    gaps = np.diff(points) / (points[-1] - points[0])
    weights = (np.append(gaps, 0) + np.append(0, gaps)) / 2
    return (jnp.asarray(weights, values.dtype) * jnp.asarray(values)).sum()


def _fill_and_rank(
    image: Image, map: GridMap, key: PRNGKey, order: str, options: Mapping[str, Any]
) -> tuple[Image, Ranks]:
    black = check_value("black", options["black"], BLACK)
    fill_key, order_key = jax.random.split(key)
    ranks = rank_pixels(map, image.shape[:-1], order_key, order)
    return replace_pixels(image, fill_key, options["fill"], black=black), ranks


def _as_curve(values: Array, map: GridMap, order: str, fractions: Fractions) -> Curve:
    defined = is_ranked(map) | (order == "random")
    values = jnp.where(defined, values, jnp.nan)
    return Curve(jnp.asarray(fractions, values.dtype), values, trapezoid_mean(values, fractions))
