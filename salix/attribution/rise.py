"""RISE: the mean of random masks, weighted by the score of the masked image."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from salix.attribution.chunks import CHUNK, sum_chunks
from salix.attribution.filling import FILL, Fill, filled
from salix.hyperparameters import check_fields, choice, integer, number
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
    fill=0.0. N passes; masks are made in the scan, `chunk` in one batch.

    Petsiuk, Das and Saenko (2018), arXiv:1806.07421, sec. 3.
    """

    masks: int = 4000
    side: int = 7
    probability: float = 0.5
    fill: Fill = 0.0
    norm: str = "expectation"
    chunk: int = CHUNK

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign

    def __post_init__(self) -> None:
        check_fields(self, masks=integer(1), side=integer(1), probability=CHANCE, fill=FILL)
        check_fields(self, norm=choice(("expectation", "masks")), chunk=integer(1))

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the passes of the model for one image of a shape [*space c]."""
        del shape
        return Passes(evaluations=self.masks)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*space 1"]:
        image = jnp.asarray(image)
        fill_key, key = jax.random.split(key)
        fill = filled(self.fill, score, image, fill_key)

        def term(index: Array) -> tuple[Array, ...]:
            mask = self._mask(jax.random.fold_in(key, index), image.shape[:-1], widen(image).dtype)
            shares = mask[..., None]
            masked = shares * widen(image) + (1 - shares) * widen(fill)
            value = widen(score(masked.astype(image.dtype)))
            return (value * mask, mask) if self.norm == "masks" else (value * mask,)

        total, *weights = sum_chunks(term, self.masks, chunk=self.chunk)
        return (total / (weights[0] if weights else self.probability * self.masks))[..., None]

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
