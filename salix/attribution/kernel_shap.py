"""Kernel SHAP: Shapley values of segments by weighted least squares."""

from dataclasses import dataclass, field
from math import comb
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from salix.attribution.chunks import CHUNK, sum_chunks
from salix.attribution.filling import FILL, Fill
from salix.attribution.segment_game import SegmentGame, segment_game
from salix.hyperparameters import FLAG, check_fields, integer
from salix.perturb.partition import PARTITION, Grid, Partition
from salix.typing import Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class KernelSHAP:
    r"""Shapley values of segments as the weighted least squares fit of an additive model.

    $\phi = \arg\min \sum_z \pi(z) (f(x_z) - f(x_0) - \sum_i \phi_i z_i)^2$ under
    $\sum_i \phi_i = f(x) - f(x_0)$, over the coalitions z that are neither empty nor complete,
    $\pi(z) = (n - 1) / \binom{n}{|z|} |z| (n - |z|)$; $x_z$ is the image whose segments outside z
    are filled. Pixels have the value of their segment: signed, in units of the score.

    Of n segments, `samples` coalitions are drawn with chances $\propto \pi$: a size, then a subset
    of that size. `antithetic`, as in the released code, follows each by its complement, which
    cancels the error of pairwise interactions. Where `samples` is $2^n - 2$ or more, all coalitions
    are fitted instead, weighted by $\pi$: exact Shapley values. A sampled fit is exact for additive
    scores, else consistent: its error is of order $samples^{-1/2}$. Of the fits that too few
    samples leave, the result is the nearest to equal values.

    `partition` gives n segments at most; `fill` is as in `salix.attribution.filling.filled`. One
    pass for each coalition and two more; coalitions are scanned, `chunk` in one batch, into the
    n x n matrix of the normal equations.

    Lundberg and Lee (2017), arXiv:1705.07874, theorem 2; the constraint and complements as in
    Covert and Lee (2021), arXiv:2012.01536.
    """

    partition: Partition = field(default_factory=Grid)
    samples: int = 1000
    fill: Fill = 0.0
    antithetic: bool = True
    chunk: int = CHUNK

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign

    def __post_init__(self) -> None:
        check_fields(self, partition=PARTITION, samples=integer(1), fill=FILL)
        check_fields(self, antithetic=FLAG, chunk=integer(1))

    def _coalitions(self, count: int) -> int:
        return min(self.samples, 2**count - 2)

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the passes of the model for one image of a shape [*space c]."""
        return Passes(evaluations=2 + self._coalitions(self.partition.count(shape)))

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*space 1"]:
        game, key = segment_game(score, image, key, self.partition, self.fill)
        filled, complete = game.ends()
        coalitions, dtype = self._coalitions(game.count), complete.dtype
        every = coalitions == 2**game.count - 2
        if coalitions == 0:
            return game.spread(jnp.asarray(complete - filled)[None])

        def term(index: Array) -> tuple[Array, Array]:
            if every:
                present, weight = _enumerate(game.count, index + 1)
            else:
                present, weight = self._draw(game, key, index), 1 / coalitions
            z = present.astype(dtype)
            weighted = jnp.asarray(weight, dtype) * z
            return weighted[:, None] * z[None], weighted * (game(present) - filled)

        gram, moment = sum_chunks(term, coalitions, chunk=self.chunk)
        total = jnp.asarray(complete - filled)
        return game.spread(_fit(gram, moment, total, game.used.astype(dtype)))

    def _draw(self, game: SegmentGame, key: PRNGKey, index: Array) -> Bool[Array, " n"]:
        """Return a random coalition of the image's segments, neither empty nor complete."""
        draw = index // 2 if self.antithetic else index
        size_key, order_key = jax.random.split(jax.random.fold_in(key, draw))
        segments, sizes = game.used.sum(), jnp.arange(1, game.count, dtype=int)
        # The chance of a size is the kernel times the number of its coalitions.
        chance = jnp.where(sizes < segments, 1 / (sizes * (segments - sizes)), 0)
        size = jax.random.choice(size_key, sizes, p=chance / chance.sum())
        order = jnp.where(game.used, jax.random.uniform(order_key, (game.count,)), jnp.inf)
        present = jnp.argsort(jnp.argsort(order)) < size
        if not self.antithetic:
            return present
        return jnp.where(index % 2 == 1, ~present & game.used, present)


def _enumerate(count: int, code: Array) -> tuple[Bool[Array, " n"], Array]:
    """Return the coalition with the bits of a number, and its weight; the weights add up to 1."""
    present = (code >> jnp.arange(count, dtype=code.dtype)) & 1 == 1
    sizes = np.arange(1, count)
    kernel = np.array([1 / (comb(count, int(s)) * s * (count - s)) for s in sizes])
    total = (1 / (sizes * (count - sizes))).sum()
    return present, jnp.asarray(kernel / total)[present.sum() - 1]


def _fit(gram: Array, moment: Array, total: Array, used: Float[Array, " n"]) -> Array:
    """Return the values that solve the normal equations, add up to a total, and are 0 if unused.

    The values are equal shares plus a vector that adds up to 0, the shortest of those that fit.
    """
    ones = used / used.sum()
    project = jnp.diag(used) - ones[:, None] * used[None]
    exact = lax.Precision.HIGHEST
    product = lambda *factors: jnp.linalg.multi_dot(factors, precision=exact)  # noqa: E731
    inner = product(project, gram, project)
    rest = product(project, moment - product(gram, total * ones))
    return total * ones + product(project, jnp.linalg.pinv(inner, hermitian=True), rest)
