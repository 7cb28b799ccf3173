"""Shapley values of segments, by random permutations."""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from salix.attribution.chunks import CHUNK, map_chunks
from salix.attribution.filling import FILL, Fill
from salix.attribution.segment_game import segment_game
from salix.hyperparameters import FLAG, check_fields, integer
from salix.perturb.partition import PARTITION, Grid, Partition
from salix.typing import Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class ShapleySampling:
    r"""Mean contribution of a segment over random orders in which segments join the filled image.

    $\phi_i = \frac{1}{m} \sum_\pi f(x_{\pi_{\le i}}) - f(x_{\pi_{< i}})$ over m `permutations`
    $\pi$, where $x_S$ is the image whose segments outside S are filled: an unbiased estimate of the
    Shapley value, with an error of order $m^{-1/2}$. Each permutation alone is efficient,
    $\sum_i \phi_i = f(x) - f(fill)$, and gives a segment without influence 0. Pixels have the value
    of their segment: signed, in units of the score. `antithetic` reverses every other permutation,
    which cancels the error of pairwise interactions.

    `partition` gives n segments at most; `fill` is as in `salix.attribution.filling.filled`.
    m (n - 1) + 2 passes; permutations are scanned, `chunk` images of one permutation in one batch.

    Castro, Gómez and Tejada (2009), doi:10.1016/j.cor.2008.04.004, sec. 3; antithetic permutations
    in Mitchell et al. (2022), arXiv:2104.12199, sec. 3.
    """

    partition: Partition = field(default_factory=Grid)
    permutations: int = 25
    fill: Fill = 0.0
    antithetic: bool = False
    chunk: int = CHUNK

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign

    def __post_init__(self) -> None:
        check_fields(self, partition=PARTITION, permutations=integer(1), fill=FILL)
        check_fields(self, antithetic=FLAG, chunk=integer(1))

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the passes of the model for one image of a shape [*space c]."""
        return Passes(evaluations=2 + self.permutations * (self.partition.count(shape) - 1))

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*space 1"]:
        game, key = segment_game(score, image, key, self.partition, self.fill)
        filled, complete = game.ends()
        sizes = jnp.arange(1, game.count)  # of coalitions that are neither empty nor complete

        def add(total: Array, index: Array) -> tuple[Array, None]:
            draw = index // 2 if self.antithetic else index
            places = jax.random.permutation(jax.random.fold_in(key, draw), game.count)
            if self.antithetic:
                places = jnp.where(index % 2 == 1, game.count - 1 - places, places)
            between = map_chunks(lambda size: game(places < size), sizes, chunk=self.chunk)
            values = jnp.concatenate([filled[None], between, complete[None]])
            return total + jnp.diff(values)[places], None

        start = jnp.zeros(game.count, complete.dtype)
        total, _ = lax.scan(add, start, jnp.arange(self.permutations))
        return game.spread(total / self.permutations)
