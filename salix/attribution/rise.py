"""RISE: the mean of random masks, weighted by the score of the masked image."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from salix.attribution.chunks import CHUNK, Indices, fold_chunks, sum_chunks, zeros_of
from salix.attribution.filling import FILL, Fill, filled
from salix.attribution.mask_estimate import (
    INTERVAL,
    TOLERANCE,
    MaskEstimate,
    WeightedMoments,
    is_precise,
)
from salix.hyperparameters import check_fields, choice, integer, number, settings_text
from salix.precision import widen
from salix.typing import Image, Passes, PRNGKey, ScoreLike

CHANCE = number(lambda p: 0 < p < 1, remedy="give a probability between 0 and 1")


@dataclass(frozen=True)
class RISE:
    r"""Mean of random masks, weighted by the score of the masked image.

    $S = \frac{1}{p N} \sum_i f(x \odot M_i + r \odot (1 - M_i))\, M_i$ over N = `masks` smooth
    random masks, where p = `probability` is the mean of a mask: an estimate of the expected score
    while a pixel shows. `norm="masks"` (Xplique) divides by $\sum_i M_i$ instead of p N
    ("expectation", the paper), so that a constant score gives that constant. A is in units of the
    score, of its sign, and known up to the noise of the masks, of order $N^{-1/2}$.

    A mask is a grid of `side` points an axis, each 1 with probability p and else 0, enlarged
    linearly to side + 1 blocks of ceil(length / side) pixels (constant beyond outer points, where
    the released code reflects), and shifted by a random part of a block. The replacement r is
    `fill`, as in `salix.attribution.filling.filled`; the paper multiplies the model's input,
    fill=0.0. N passes at most; masks are made in the scan, `chunk` in one batch.

    With a `tolerance` t above 0 the masks end at the first check where the largest standard error
    of a pixel is at most t times the range of the map, or when all are drawn: a check follows each
    100 masks, in complete chunks, and reverse-mode derivatives are not defined. `estimate` returns
    the map with its standard error, $\hat\sigma / \sqrt{N}$ of the terms of the mean ("masks": of a
    ratio, by the delta method), to which a constant part of the score adds under "expectation" and
    nothing under "masks". Raises `InputError` for a negative tolerance.

    Petsiuk, Das and Saenko (2018), arXiv:1806.07421, sec. 3; the end of the masks as in Covert and
    Lee (2021), arXiv:2012.01536.
    """

    masks: int = 4000
    side: int = 7
    probability: float = 0.5
    fill: Fill = 0.0
    norm: str = "expectation"
    chunk: int = CHUNK
    tolerance: float | int = field(default=0.0, metadata={"described": "changed"})

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign

    def __post_init__(self) -> None:
        check_fields(self, masks=integer(1), side=integer(1), probability=CHANCE, fill=FILL)
        check_fields(self, norm=choice(("expectation", "masks")), chunk=integer(1))
        check_fields(self, tolerance=TOLERANCE)

    __repr__ = settings_text

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the most passes of the model for one image of a shape [*space c]."""
        del shape
        return Passes(evaluations=self.masks)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*space 1"]:
        if self.tolerance > 0:
            return self.estimate(score, image, key).attribution
        draw = self._sampler(score, image, key)
        sums = sum_chunks(lambda i: self._terms(*draw(i)), self.masks, chunk=self.chunk)
        return self._mean(sums, self.masks)[..., None]

    def estimate(self, score: ScoreLike, image: Image, key: PRNGKey) -> MaskEstimate:
        """Return the attribution with its standard error and the number of masks."""
        draw = self._sampler(score, image, key)

        def measure(indices: Indices) -> Any:
            values, masks = jax.vmap(draw)(indices)
            terms = jax.tree.map(lambda x: x.sum(0), jax.vmap(self._terms)(values, masks))
            return jnp.int32(indices.size), terms, self._moments(values, masks)

        def fold(state: Any, indices: Indices) -> Any:
            (drawn, sums, moments), (count, terms, further) = state, measure(indices)
            return drawn + count, jax.tree.map(jnp.add, sums, terms), moments.merge(further)

        def result(state: Any) -> tuple[Array, Array]:
            drawn, sums, moments = state
            count = drawn.astype(sums[0].dtype)
            mean = self._mean(sums, count)
            return mean, self._error(mean, count, sums, moments)

        def finished(state: Any) -> Array:
            mean, error = result(state)
            return is_precise(mean.ravel(), error.ravel(), self.tolerance)

        start = zeros_of(measure, jnp.arange(1, dtype=jnp.int32))
        early = finished if self.tolerance > 0 else None
        state = fold_chunks(
            fold, start, self.masks, chunk=self.chunk, finished=early, interval=INTERVAL
        )
        mean, error = result(state)
        return MaskEstimate(mean[..., None], error[..., None], state[0])

    def _sampler(
        self, score: ScoreLike, image: Image, key: PRNGKey
    ) -> Callable[[Array], tuple[Array, Array]]:
        """Return the function of an index that draws a mask: the score under it, and the mask."""
        image = jnp.asarray(image)
        fill_key, key = jax.random.split(key)
        fill = filled(self.fill, score, image, fill_key)

        def draw(index: Array) -> tuple[Array, Array]:
            mask = self._mask(jax.random.fold_in(key, index), image.shape[:-1], widen(image).dtype)
            shares = mask[..., None]
            masked = shares * widen(image) + (1 - shares) * widen(fill)
            return widen(score(masked.astype(image.dtype))), mask

        return draw

    def _terms(self, value: Array, mask: Array) -> tuple[Array, ...]:
        return (value * mask, mask) if self.norm == "masks" else (value * mask,)

    def _mean(self, sums: tuple[Array, ...], count: int | Array) -> Array:
        total, *weights = sums
        return total / (weights[0] if weights else self.probability * count)

    def _moments(self, values: Float[Array, " k"], masks: Float[Array, "k *space"]) -> Any:
        """Return the moments of the terms of the mean; of a ratio, of scores weighted by $M^2$."""
        values = values.reshape(-1, *[1] * (masks.ndim - 1))
        if self.norm == "masks":
            return WeightedMoments.of(values, masks**2)
        return WeightedMoments.of(values * masks, jnp.ones_like(values))

    def _error(
        self, mean: Array, count: Array, sums: tuple[Array, ...], moments: WeightedMoments
    ) -> Array:
        """Return the standard error of the mean, NaN after one mask."""
        if self.norm == "expectation":
            return jnp.sqrt(moments.squares / (count - 1) / count) / self.probability
        # The residuals M (f - A) around the ratio A; the shift is from the mean of scores by M².
        squares = moments.squares + moments.weight * (moments.mean - mean) ** 2
        ratio = jnp.where(count > 1, count / (count - 1), jnp.nan)
        return jnp.sqrt(ratio * squares) / sums[1]

    def _mask(self, key: PRNGKey, space: tuple[int, ...], dtype: jnp.dtype) -> Array:
        points_key, shift_key = jax.random.split(key)
        sides = [min(self.side, length) for length in space]
        mask = jax.random.bernoulli(points_key, self.probability, tuple(sides)).astype(dtype)
        shifts = jax.random.uniform(shift_key, (len(space),))
        for shift, side, length in zip(shifts, sides, space, strict=True):
            rows = _enlarge(side, length, shift, dtype)
            mask = jnp.tensordot(mask, rows, (0, 1), precision=lax.Precision.HIGHEST)
        return mask


def _enlarge(side: int, length: int, shift: Array, dtype: jnp.dtype) -> Float[Array, "length side"]:
    """Return the linear interpolation from the points of a grid to pixels, shifted within a cell.

    Pixel centres are aligned, as in image resizing, and pixels beyond the outer points have theirs.
    """
    cell = -(-length // side)
    start = jnp.floor(shift * cell).astype(dtype)
    pixels = jnp.arange(length, dtype=dtype) + start + 0.5
    places = (pixels * side / ((side + 1) * cell) - 0.5).clip(0, side - 1)
    return jnp.maximum(1 - jnp.abs(places[:, None] - jnp.arange(side, dtype=dtype)[None]), 0)
