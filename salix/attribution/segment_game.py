"""The score of an image as a function of its segments that remain."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Integer

from salix.attribution.filling import Fill, filled
from salix.perturb.partition import Partition
from salix.perturb.segment_masks import apply_mask
from salix.precision import widen
from salix.typing import Image, PRNGKey, Scalar, ScoreLike


@dataclass(frozen=True)
class SegmentGame:
    """A game of n players: the score of an image in which absent segments are filled.

    `game(present)` is the score for n flags, or n shares in [0, 1], in 32 bits or more. n is the
    partition's bound; players beyond the image's segments have no pixel and are not `used`.
    """

    score: ScoreLike
    image: Array
    fill: Array
    labels: Integer[Array, "*space"]
    count: int

    def __call__(self, present: Any) -> Scalar:
        return widen(self.score(apply_mask(self.image, self.fill, self.labels, present)))

    @property
    def used(self) -> Bool[Array, " n"]:
        """Flags of the players that are segments of the image."""
        return jnp.arange(self.count, dtype=self.labels.dtype) <= self.labels.max()

    def ends(self) -> tuple[Scalar, Scalar]:
        """Return the scores of the filled and of the complete image."""
        values = jax.lax.map(self, jnp.array([[False], [True]]).repeat(self.count, 1))
        return values[0], values[1]

    def spread(self, values: Float[Array, " n"]) -> Float[Array, "*space 1"]:
        """Return the map whose pixels have the value of their segment."""
        return values[self.labels][..., None]


def rounding(values: Float[Array, " n"]) -> Scalar:
    """Return the difference up to which scores count as equal: that of 16 roundings."""
    return 16 * jnp.finfo(values.dtype).eps * jnp.abs(values).max()


def segment_game(
    score: ScoreLike, image: Image, key: PRNGKey, partition: Partition, fill: Fill
) -> tuple[SegmentGame, PRNGKey]:
    """Return the game of an image's segments, and a key for its samples."""
    fill_key, key = jax.random.split(key)
    image = jnp.asarray(image)
    replacement = filled(fill, score, image, fill_key)
    count = partition.count(image.shape)
    return SegmentGame(score, image, replacement, partition(image), count), key
