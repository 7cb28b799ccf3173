"""Kernel SHAP: Shapley values of segments by weighted least squares."""

from dataclasses import dataclass, field
from math import comb
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from salix.attribution.chunks import CHUNK, Indices, fold_chunks, sum_chunks, zeros_of
from salix.attribution.filling import FILL, Fill
from salix.attribution.mask_estimate import INTERVAL, TOLERANCE, MaskEstimate, is_precise
from salix.attribution.segment_game import SegmentGame, segment_game
from salix.attribution.shapley_regression import fit, standard_errors, weigh
from salix.hyperparameters import FLAG, check_fields, integer, settings_text
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

    With a `tolerance` t above 0 the draws end at the first check where the largest standard error
    is at most t times the range of the values, or at `samples`: a check follows each 100
    coalitions, in complete chunks, from twice as many draws as segments on; reverse-mode
    derivatives are not defined. `estimate` returns the map with its standard error, in which a
    coalition and its complement are one draw; it is 0 where all coalitions are fitted.

    `partition` gives n segments at most; `fill` is as in `salix.attribution.filling.filled`. At
    most one pass for each coalition, and two more; coalitions are scanned, `chunk` in one batch,
    into the n x n matrix of the normal equations, and stored for the standard error alone. Raises
    `InputError` for a negative tolerance.

    Lundberg and Lee (2017), arXiv:1705.07874, theorem 2; the constraint, complements and the end of
    the draws as in Covert and Lee (2021), arXiv:2012.01536.
    """

    partition: Partition = field(default_factory=Grid)
    samples: int = 1000
    fill: Fill = 0.0
    antithetic: bool = True
    chunk: int = CHUNK
    tolerance: float | int = field(default=0.0, metadata={"described": "changed"})

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign

    def __post_init__(self) -> None:
        check_fields(self, partition=PARTITION, samples=integer(1), fill=FILL)
        check_fields(self, antithetic=FLAG, chunk=integer(1), tolerance=TOLERANCE)

    __repr__ = settings_text

    def _coalitions(self, count: int) -> int:
        return min(self.samples, 2**count - 2)

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the most passes of the model for one image of a shape [*space c]."""
        return Passes(evaluations=2 + self._coalitions(self.partition.count(shape)))

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*space 1"]:
        if self.tolerance > 0:
            return self.estimate(score, image, key).attribution
        game, key = segment_game(score, image, key, self.partition, self.fill)
        return game.spread(self._values(game, key))

    def estimate(self, score: ScoreLike, image: Image, key: PRNGKey) -> MaskEstimate:
        """Return the attribution with its standard error and the number of coalitions."""
        game, key = segment_game(score, image, key, self.partition, self.fill)
        coalitions = self._coalitions(game.count)
        if coalitions == 2**game.count - 2:
            values = self._values(game, key)
            errors, drawn = jnp.zeros_like(values), jnp.int32(coalitions)
        else:
            values, errors, drawn = self._sample(game, key)
        return MaskEstimate(game.spread(values), game.spread(errors), drawn)

    def _values(self, game: SegmentGame, key: PRNGKey) -> Float[Array, " n"]:
        """Return the fit of all coalitions, drawn or enumerated."""
        filled, complete = game.ends()
        coalitions, dtype = self._coalitions(game.count), complete.dtype
        if coalitions == 0:
            return jnp.asarray(complete - filled)[None]

        def term(index: Array) -> tuple[Array, Array]:
            if coalitions == 2**game.count - 2:
                present, weight = _enumerate(game.count, index + 1)
            else:
                present, weight = self._draw(game, key, index), 1 / coalitions
            square, weighted = weigh(present, weight, dtype)
            return square, weighted * (game(present) - filled)

        gram, moment = sum_chunks(term, coalitions, chunk=self.chunk)
        total = jnp.asarray(complete - filled)
        return fit(gram, moment, total, game.used.astype(dtype))[0]

    def _sample(self, game: SegmentGame, key: PRNGKey) -> tuple[Array, Array, Array]:
        """Return values, standard errors and the number of coalitions, as many as needed."""
        filled, complete = game.ends()
        coalitions, total = self._coalitions(game.count), jnp.asarray(complete - filled)
        used, members = game.used.astype(total.dtype), 2 if self.antithetic else 1
        draws = -(-coalitions // members)

        def measure(index: Array) -> Any:
            present = self._draw(game, key, index)
            square, weighted = weigh(present, 1 / coalitions, total.dtype)
            change = game(present) - filled
            return present, change, (square, weighted * change)

        def fold(state: Any, indices: Indices) -> Any:
            drawn, present, changes, sums = state
            some_present, some_changes, terms = jax.vmap(measure)(indices)
            places = divmod(indices, members)
            present = present.at[places].set(some_present)
            changes = changes.at[places].set(some_changes)
            sums = jax.tree.map(lambda t, x: t + x.sum(0), sums, terms)
            return drawn + indices.size, present, changes, sums

        def result(state: Any) -> tuple[Array, Array]:
            _, present, changes, (gram, moment) = state
            values, inverse = fit(gram, moment, total, used)
            return values, standard_errors(values, inverse / coalitions, present, changes)

        def finished(state: Any) -> Array:
            values, errors = result(state)
            precise = is_precise(jnp.where(used > 0, values, values[0]), errors, self.tolerance)
            return precise & (state[0] >= 2 * members * game.used.sum(dtype=jnp.int32))

        none, changes, sums = zeros_of(measure, jnp.int32(0))
        start = (
            jnp.int32(0),
            jnp.zeros((draws, members, *none.shape), bool),
            jnp.zeros((draws, members), changes.dtype),
            sums,
        )
        early = finished if self.tolerance > 0 else None
        state = fold_chunks(
            fold, start, coalitions, chunk=self.chunk, finished=early, interval=INTERVAL
        )
        return *result(state), state[0]

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
