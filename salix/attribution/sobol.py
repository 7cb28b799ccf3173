"""Sobol attribution: the share of the score's variance that a segment's mask explains."""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from salix.attribution.chunks import CHUNK, map_chunks
from salix.attribution.filling import FILL, Fill
from salix.attribution.segment_game import rounding, segment_game
from salix.hyperparameters import check_fields, choice, integer
from salix.perturb.partition import PARTITION, Grid, Partition
from salix.typing import Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class Sobol:
    r"""Total Sobol index of each segment's mask: its share of the score's variance.

    $S_i = E[Var(f \mid m_{\setminus i})] / Var(f)$, where the masks $m \in [0, 1]^n$ are uniform
    and a segment i is mixed with its replacement, $m_i x + (1 - m_i) r$. By Jansen's estimator
    $\frac{1}{2 N} \sum_j (f(a_j) - f(c_j^i))^2 / \hat{V}$ over N = `designs` pairs of masks a and
    b, where $c^i$ is a with the entry i of b, and $\hat{V}$ is the sample variance of $f(a_j)$. At
    least 0, without a sign: in [0, 1] but for the noise of the samples, and the sum is over 1 where
    segments interact. Pixels have the index of their segment. NaN where all $f(a_j)$ are
    equal, up to rounding.

    `sampler` is "latin" (a Latin hypercube: each entry has one value in each of N equal intervals,
    in random order) or "random". The released code takes a Sobol sequence, whose first 32 points in
    more than a hundred dimensions are no more even than that.
    `partition` gives n segments at most; `fill` is as in `salix.attribution.filling.filled`.
    N (n + 1) passes; designs are scanned, `chunk` images of one design in one batch.

    Fel et al. (2021), arXiv:2111.04138, sec. 3; Jansen (1999), doi:10.1016/S0010-4655(98)00154-4;
    McKay, Beckman and Conover (1979), doi:10.1080/00401706.1979.10489755.
    """

    partition: Partition = field(default_factory=Grid)
    designs: int = 32
    fill: Fill = 0.0
    sampler: str = "latin"
    chunk: int = CHUNK

    pooling: ClassVar[str] = "signed_sum"  # one channel, at least 0

    def __post_init__(self) -> None:
        check_fields(self, partition=PARTITION, designs=integer(2), fill=FILL, chunk=integer(1))
        check_fields(self, sampler=choice(("latin", "random")))

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the passes of the model for one image of a shape [*space c]."""
        return Passes(evaluations=self.designs * (1 + self.partition.count(shape)))

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*space 1"]:
        game, key = segment_game(score, image, key, self.partition, self.fill)
        columns = jnp.arange(-1, game.count)  # of the mask that b replaces; -1 is none

        def add(total: Array, masks: tuple[Array, Array]) -> tuple[Array, Array]:
            a, b = masks
            mix = lambda column: game(jnp.where(jnp.arange(game.count) == column, b, a))  # noqa: E731
            values = map_chunks(mix, columns, chunk=self.chunk)
            return total + (values[1:] - values[0]) ** 2, values[0]

        samples = self._samples(key, 2 * game.count)
        start = jnp.zeros(game.count, jax.eval_shape(game, samples[0, : game.count]).dtype)
        pairs = samples[:, : game.count], samples[:, game.count :]
        total, values = lax.scan(add, start, pairs)
        variance = jnp.where(jnp.ptp(values) > rounding(values), values.var(ddof=1), jnp.nan)
        return game.spread(total / (2 * self.designs * variance))

    def _samples(self, key: PRNGKey, columns: int) -> Float[Array, "designs columns"]:
        """Return uniform numbers."""
        place_key, order_key = jax.random.split(key)
        shape = self.designs, columns
        places = jax.random.uniform(place_key, shape)
        if self.sampler == "random":
            return places
        order = jnp.argsort(jax.random.uniform(order_key, shape), axis=0)
        return (order.astype(places.dtype) + places) / self.designs
