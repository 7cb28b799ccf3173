"""Feature ablation: the drop of the score without a segment."""

from dataclasses import dataclass, field
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.attribution.chunks import CHUNK, map_chunks
from salix.attribution.filling import FILL, Fill
from salix.attribution.segment_game import segment_game
from salix.hyperparameters import check_fields, integer
from salix.perturb.partition import PARTITION, Grid, Partition
from salix.precision import widen
from salix.typing import Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class FeatureAblation:
    r"""Drop of the score without a segment, $f(x) - f(x \text{ with } S \text{ filled})$.

    Each pixel has the drop of its segment, as Captum's: A is signed, in units of the score, and its
    sum over pixels weighs a drop by the segment's size. For a score that is linear in the segments
    the drops are their contributions, which add up to $f(x) - f(fill)$.

    `partition` gives the segments; `fill` is as in `salix.attribution.filling.filled`. One pass for
    each of the partition's greatest number of segments, and one for the image; segments are
    scanned, `chunk` in one batch.

    Leave-one-out, as in Zeiler and Fergus (2014), arXiv:1311.2901, sec. 4.2, by segments.
    """

    partition: Partition = field(default_factory=Grid)
    fill: Fill = 0.0
    chunk: int = CHUNK

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign

    def __post_init__(self) -> None:
        check_fields(self, partition=PARTITION, fill=FILL, chunk=integer(1))

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the passes of the model for one image of a shape [*space c]."""
        return Passes(evaluations=1 + self.partition.count(shape))

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*space 1"]:
        game, _ = segment_game(score, image, key, self.partition, self.fill)
        segments = jnp.arange(game.count)
        values = map_chunks(lambda n: game(segments != n), segments, chunk=self.chunk)
        return game.spread(widen(score(game.image)) - values)
