"""LIME: a local linear model of the segments that remain."""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.attribution.chunks import CHUNK, sum_chunks
from salix.attribution.filling import FILL, Fill
from salix.attribution.segment_game import segment_game
from salix.hyperparameters import check_fields, integer, number
from salix.perturb.partition import PARTITION, Grid, Partition
from salix.typing import Image, Passes, PRNGKey, ScoreLike

POSITIVE = number(lambda n: n > 0, remedy="give a number above 0")


@dataclass(frozen=True)
class LIME:
    r"""Coefficients of a ridge regression of the score on the segments that remain.

    $\min_{\beta, \beta_0} \sum_z \pi(z) (f(x_z) - \beta_0 - \beta \cdot z)^2
    + \lambda \|\beta\|^2$ over `samples` flags z: the first all 1, the others drawn with chances
    1/2; $x_z$ is the image whose segments with $z_i = 0$ are filled. Nearer images weigh more,
    $\pi(z) = \exp(-d^2 / 2 \sigma^2)$ with the cosine distance $d = 1 - \sqrt{|z| / n}$ of z to all
    ones (1 for none) and $\sigma$ = `width`; $\lambda$ = `ridge`. These are the released code's, as
    are all coefficients in place of a selection; its segments are quickshift's, filled by their
    mean colours. Pixels have the coefficient of their segment: signed, in units of the score, and
    biased towards 0 by the ridge.

    `partition` gives n segments at most; `fill` is as in `salix.attribution.filling.filled`. One
    pass for each sample; samples are scanned, `chunk` in one batch, into the n x n matrix of the
    normal equations.

    Ribeiro, Singh and Guestrin (2016), arXiv:1602.04938, sec. 3.3 and 3.4.
    """

    partition: Partition = field(default_factory=Grid)
    samples: int = 1000
    fill: Fill = 0.0
    width: float | int = 0.25
    ridge: float | int = 1.0
    chunk: int = CHUNK

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign

    def __post_init__(self) -> None:
        check_fields(self, partition=PARTITION, samples=integer(1), fill=FILL, chunk=integer(1))
        check_fields(self, width=POSITIVE, ridge=POSITIVE)

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the passes of the model for one image of a shape [*space c]."""
        del shape
        return Passes(evaluations=self.samples)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*space 1"]:
        game, key = segment_game(score, image, key, self.partition, self.fill)

        def term(index: Array) -> tuple[Array, Array]:
            drawn = jax.random.bernoulli(jax.random.fold_in(key, index), shape=(game.count,))
            present = drawn | (index == 0)
            value = game(present)
            share = (present & game.used).sum() / game.used.sum()
            distance = 1 - jnp.sqrt(share.astype(value.dtype))
            weight = jnp.exp(-(distance**2) / (2 * self.width**2))
            # -1/2 and 1/2 in place of 0 and 1 change the intercept alone, and round less.
            half = jnp.asarray(0.5, value.dtype)
            z = jnp.where(game.used, jnp.where(present, half, -half), 0)
            row = jnp.concatenate([jnp.ones(1, value.dtype), z])
            return weight * row[:, None] * row[None], weight * value * row

        gram, moment = sum_chunks(term, self.samples, chunk=self.chunk)
        # Centred by the weighted means, which the intercept fits.
        weight, means = gram[0, 0], gram[0, 1:] / gram[0, 0]
        centred = gram[1:, 1:] - weight * means[:, None] * means[None]
        rest = moment[1:] - moment[0] * means
        ridge = self.ridge * jnp.eye(game.count, dtype=rest.dtype)
        return game.spread(jnp.linalg.solve(centred + ridge, rest))
