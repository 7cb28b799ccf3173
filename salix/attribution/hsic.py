"""HSIC attribution: the dependence of the score on a segment's presence."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from salix.attribution.chunks import CHUNK, map_chunks, sum_chunks
from salix.attribution.filling import FILL, Fill
from salix.attribution.segment_game import rounding, segment_game
from salix.hyperparameters import check_fields, integer
from salix.perturb.partition import PARTITION, Grid, Partition
from salix.typing import Image, Passes, PRNGKey, Scalar, ScoreLike

MOST = 2**15  # masks, whose pairs are counted in 32 bits
ROWS = 64  # of the kernel's matrix at a time


@dataclass(frozen=True)
class HSIC:
    r"""Hilbert-Schmidt independence criterion of a segment's presence and the score.

    $H_i = \frac{1}{(N - 1)^2} \mathrm{tr}(K_i C L C)$, $C = I - \frac{1}{N} 1 1^T$, over N =
    `masks` random masks that leave each segment with probability 1/2. $K_i$ is the Dirac kernel of
    the segment's flag, 1 where two masks agree on it and else 0, and $L_{jk} = \exp(-(y_j - y_k)^2
    / 2 \sigma^2)$ that of the scores, $\sigma$ the median of the distances $|y_j - y_k|$ that are
    not 0 (Xplique: the median of the scores, which depends on their level). At least 0, at most
    1/2, without a sign or unit, and 0 for a segment without influence up to 1 / N. Pixels have the
    value of their segment. NaN where all scores are equal, up to rounding.

    `partition` gives n segments at most; `fill` is as in `salix.attribution.filling.filled`. N
    passes, scanned, `chunk` in one batch; their scores and flags stay, N (n + 1) numbers, and the
    kernel's matrix is made a few rows at a time.

    Novello, Fel and Vigouroux (2022), arXiv:2206.06219, sec. 3; Gretton et al. (2005),
    doi:10.1007/11564089_7.
    """

    partition: Partition = field(default_factory=Grid)
    masks: int = 1500
    fill: Fill = 0.0
    chunk: int = CHUNK

    pooling: ClassVar[str] = "signed_sum"  # one channel, at least 0

    def __post_init__(self) -> None:
        check_fields(self, partition=PARTITION, masks=integer(2, MOST), fill=FILL, chunk=integer(1))

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the passes of the model for one image of a shape [*space c]."""
        del shape
        return Passes(evaluations=self.masks)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*space 1"]:
        game, key = segment_game(score, image, key, self.partition, self.fill)
        flags = jax.random.bernoulli(key, shape=(self.masks, game.count))
        values = map_chunks(game, flags, chunk=self.chunk)
        width = _median_distance(values)
        # Centred, the Dirac kernel is that of twice the product of flags of -1/2 and 1/2.
        signs = flags.astype(values.dtype)
        signs = signs - signs.mean(0, keepdims=True)

        def term(row: Array) -> Array:
            kernel = jnp.exp(-(((values[row] - values) / width) ** 2) / 2)
            return signs[row] * jnp.matmul(kernel, signs, precision=lax.Precision.HIGHEST)

        total = sum_chunks(term, self.masks, chunk=ROWS)
        return game.spread(2 * total / (self.masks - 1) ** 2)


def _median_distance(values: Float[Array, " n"]) -> Scalar:
    """Return the median of the distances of pairs that differ, by bisection; NaN for none."""
    ordered = jnp.sort(values)
    after = jnp.arange(
        1, values.size + 1, dtype=jnp.int32
    )  # pairs are counted from their lower value

    def pairs(distance: Array) -> Array:
        within = jnp.searchsorted(ordered, ordered + distance, side="right")
        return (within.astype(jnp.int32) - after).sum(dtype=jnp.int32)

    least, every = jnp.asarray(rounding(values)), values.size * (values.size - 1) // 2
    equal = pairs(least)
    half = equal + (every - equal + 1) // 2

    def narrow(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        enough = pairs(middle) >= half
        return jnp.where(enough, low, middle), jnp.where(enough, middle, high)

    span = ordered[-1] - ordered[0]
    _, median = lax.fori_loop(0, 50, narrow, (least, span))
    return jnp.where(span > least, median, jnp.nan)
