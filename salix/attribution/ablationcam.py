"""Ablation-CAM: features weighted by the drop of the score without each channel."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.attribution.cam import raw_features
from salix.attribution.chunks import map_chunks
from salix.attribution.gradcam import RELU
from salix.attribution.strong_channels import (
    CHANNELS,
    channel_passes,
    strong_channels,
    weigh_channels,
)
from salix.attribution.token_grid import fold_tokens
from salix.hyperparameters import check_fields, integer
from salix.precision import widen
from salix.typing import Image, Passes, PRNGKey, Scalar, ScoreLike, as_score


@dataclass(frozen=True)
class AblationCAM:
    r"""Ablation-CAM, $A = ReLU(\sum_k w_k f_k)$, $w_k = (y - y_k) / y$.

    y is the score and $y_k$ the score with channel k of the trunk's features f set to zero: w is
    the share of the score that the channel carries. No gradient is used, so that saturated heads
    are no obstacle. For a linear head $y\,w_k$ is the gradient times the features, summed over the
    grid. A score of zero has no shares: the map is NaN; below zero, w counts what lowers it.

    A lies on the grid of f, at least 0 and unscaled; `relu=False` keeps the sign. The trunk runs
    once and the head once for each channel, scanned, `chunk` in one batch. `channels` ablates
    those of the largest variance over the grid alone, None all. Raises `InputError` as `CAM` does.

    Desai and Ramaswamy (2020), doi:10.1109/WACV45572.2020.00106, sec. 3.
    """

    channels: int | None = None
    relu: bool = True
    chunk: int = 1

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign
    reads_trunk: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_fields(self, channels=CHANNELS, relu=RELU, chunk=integer(1))

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the passes of the head for one image of a shape [*space c]: the trunk has one."""
        del shape
        return channel_passes(self) + Passes(evaluations=1)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*grid 1"]:
        del key  # deterministic
        features, head = raw_features(score, image), as_score(score).head
        grid = fold_tokens(widen(features), jnp.shape(image)[:-1])
        channels = strong_channels(grid, self.channels)
        every = jnp.arange(features.shape[-1], dtype=channels.dtype)
        every = jnp.expand_dims(every, tuple(range(features.ndim - 1)))

        def ablate(channel: Array) -> Scalar:
            return widen(head(jnp.where(every == channel, 0, features)))

        complete = widen(head(features))
        weights = (complete - map_chunks(ablate, channels, chunk=self.chunk)) / complete
        weighted = weigh_channels(grid, channels, weights)
        return jax.nn.relu(weighted) if self.relu else weighted
