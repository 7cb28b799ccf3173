"""Curves of a score while the cells that a map ranks first are taken out of an image, or put in."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from salix.metrics.arrays import Other, as_float
from salix.perturb.fill import filled
from salix.typing import AnyArray, Image, InputError, Map, PRNGKey, Scalar, ScoreLike

ORDERS = ("most", "least", "random")
FRACTIONS = tuple(i / 10 for i in range(11))
GOLDEN = 2654435769  # 2^32 over the golden ratio: its multiples fill the circle evenly

Keys = Int[Array, "*space"]  # ranks first what is greatest


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Curve:
    """A score at each share of the cells, and its mean over the shares: the area below it.

    Under `vmap` all have the batch's axis in front.
    """

    fractions: Float[AnyArray, "*batch steps"]
    values: Float[AnyArray, "*batch steps"]
    area: Float[AnyArray, "*batch"]


def deletion(
    score: ScoreLike,
    image: Image,
    map: Other,
    key: PRNGKey,
    fractions: tuple[float | int, ...] = FRACTIONS,
    fill: str = "blur",
    order: str = "most",
    black: float | tuple[float, ...] = 0.0,
    chunk: int = 1,
) -> Curve:
    r"""Score of an image while its cells are replaced in the order of a map.

    $v_j = f(x \text{ with its first } \mathrm{round}(q_j n) \text{ of } n \text{ cells replaced})$
    at `fractions` $q_j$, in units of the score; the area is the trapezoid's, over the range of the
    fractions: $\sum_j (v_j + v_{j+1})(q_{j+1} - q_j) / 2 (q_m - q_1)$. `order` is "most" or "least"
    salient first (lower and higher areas mean a better map), or "random" cells, whatever the map.
    Cells of equal salience leave evenly spread over the image, as many as are due to within a few
    cells. A cell has all its channels. A map of a smaller grid is enlarged linearly to the image.

    Cells are replaced by those of `fill`: "blur", the image blurred by a sigma of a twentieth of
    its side; "mean", each channel's mean; "black", the value `black`, of which the units are the
    image's (0 where images are in [0, 1]; one number, or one a channel); "noise", normal with each
    channel's mean and deviation. Numbers of other libraries differ in steps, fill, score and area.

    Steps are scanned, `chunk` of them in one batch; each is one pass of the score. NaN where the
    map is constant or not finite, unless in random order. Raises `InputError` for an unknown fill
    or order, for fractions that are not two or more, rising, in [0, 1], and for a map that does not
    have the image's axes, or is larger.

    Petsiuk, Das and Saenko (2018), arXiv:1806.07421; most and least salient first as MoRF and LeRF
    in Samek et al. (2017), arXiv:1509.06321.
    """
    other, ranks = _start(image, map, key, fill, order, black)
    return _curve(score, image, other, ranks, map, order, fractions, chunk)


def insertion(
    score: ScoreLike,
    image: Image,
    map: Other,
    key: PRNGKey,
    fractions: tuple[float | int, ...] = FRACTIONS,
    fill: str = "blur",
    order: str = "most",
    black: float | tuple[float, ...] = 0.0,
    chunk: int = 1,
) -> Curve:
    """Score of what fills an image while the cells of the image come back in the order of a map.

    As `deletion`, from the filled image to the whole: most salient first, a higher area means a
    better map.

    Petsiuk, Das and Saenko (2018), arXiv:1806.07421.
    """
    other, ranks = _start(image, map, key, fill, order, black)
    return _curve(score, other, jnp.asarray(image), ranks, map, order, fractions, chunk)


def _start(
    image: Image, map: Other, key: PRNGKey, fill: str, order: str, black: Any
) -> tuple[Image, Keys]:
    filling, drawing = jax.random.split(key)
    space = image.shape[:-1]
    return filled(image, filling, fill, black), rank(map, space, drawing, order)


def _curve(
    score: ScoreLike,
    before: Image,
    after: Image,
    ranks: Keys,
    map: Other,
    order: str,
    fractions: tuple[float | int, ...],
    chunk: int,
) -> Curve:
    counts = counts_of(fractions, ranks.size)
    values = walk(score, before, after, ranks, counts, chunk)
    defined = ranked(map) | (order == "random")
    values = jnp.where(defined, values, jnp.nan)
    return Curve(jnp.asarray(fractions, values.dtype), values, area(values, fractions))


def counts_of(fractions: Sequence[float | int], cells: int) -> Int[np.ndarray, " steps"]:
    """Return how many of the cells each fraction takes. Raises `InputError` as `deletion` does."""
    q = np.array(fractions, float)
    if q.size < 2 or not (np.diff(q) > 0).all() or not (q[0] >= 0 and q[-1] <= 1):
        raise InputError(f"fractions are {tuple(fractions)}: give two or more, rising, in [0, 1]")
    return np.rint(q * cells).astype(np.int32)


def area(values: Float[AnyArray, " steps"], fractions: Sequence[float | int]) -> Scalar:
    """Return the mean of a curve over the range of its fractions, by the trapezoid rule."""
    gaps = np.diff(fractions) / (fractions[-1] - fractions[0])
    weights = (np.append(gaps, 0) + np.append(0, gaps)) / 2
    return (jnp.asarray(weights, values.dtype) * jnp.asarray(values)).sum()


def ranked(map: Map) -> Bool[Array, ""]:
    """Return whether a map ranks cells: it is finite, and not constant."""
    x = as_float(map)
    return jnp.isfinite(x).all() & (x.max() > x.min())


def rank(map: Other, space: tuple[int, ...], key: PRNGKey, order: str) -> Keys:
    """Return whole numbers that are greatest where a map, enlarged to a space, says first."""
    if order not in ORDERS:
        raise InputError(f"order is {order!r}: choose one of {', '.join(ORDERS)}")
    fits = len(map.shape) == len(space) and all(
        m <= s for m, s in zip(map.shape, space, strict=True)
    )
    if not fits:
        raise InputError(f"a map of shape {map.shape} does not fit an image of cells {space}")
    if order == "random":
        return jax.random.bits(key, space, jnp.uint32).astype(jnp.int32)
    x = as_float(map)
    if x.shape != space:
        x = jax.image.resize(x, space, "linear")
    x = (x if order == "most" else -x).astype(jnp.float32)
    # Floats order as their bits do, negative ones backwards; XLA sorts integers faster. A zero has
    # two patterns of bits, of which the negative one is left out.
    bits = lax.bitcast_convert_type(jnp.where(x == 0, 0, x), jnp.int32)
    return jnp.where(bits < 0, bits ^ jnp.int32(0x7FFFFFFF), bits)


def leading(ranks: Keys, ordered: Int[Array, " cells"], count: Any) -> Bool[Array, "*space"]:
    """Return which cells are the first `count`, given their ranks and the same in rising order."""
    last = ordered[jnp.clip(ordered.size - count, 0, ordered.size - 1)]
    above, tied = ranks > last, ranks == last
    share = (count - above.sum()) / tied.sum()
    place = lax.iota(jnp.uint32, ranks.size) * jnp.uint32(GOLDEN)
    spread = (place >> 8).astype(jnp.float32) / 2**24  # in [0, 1)
    return above | (tied & (spread.reshape(ranks.shape) < share))


def walk(
    see: Callable[[Image], Any],
    before: Image,
    after: Image,
    ranks: Keys,
    counts: Any,
    chunk: int = 1,
) -> Any:
    """See `before` with its leading cells taken from `after`, for each of the counts, in a scan."""
    if chunk < 1:
        raise InputError(f"chunk is {chunk}: give 1 step a batch, or more")
    ordered = jnp.sort(ranks.ravel())

    def one(count: Array) -> Any:
        return see(jnp.where(leading(ranks, ordered, count)[..., None], after, before))

    counts = jnp.asarray(counts)
    return lax.map(
        one, counts, batch_size=None if chunk == 1 else min(chunk, math.prod(counts.shape))
    )
