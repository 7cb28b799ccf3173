"""Score-CAM: features weighted by the score of the image that each leaves visible."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.attribution.cam import raw_features
from salix.attribution.chunks import map_chunks
from salix.attribution.filling import FILL, Fill, filled
from salix.attribution.gradcam import RELU
from salix.attribution.strong_channels import (
    CHANNELS,
    channel_passes,
    strong_channels,
    weigh_channels,
)
from salix.attribution.token_grid import fold_tokens
from salix.hyperparameters import FLAG, check_fields, integer
from salix.precision import widen
from salix.typing import Image, InputError, Passes, PRNGKey, Scalar, ScoreLike


@dataclass(frozen=True)
class ScoreCAM:
    r"""Score-CAM, $A = ReLU(\sum_k \alpha_k f_k)$, $\alpha = softmax_k\,C_k$.

    $C_k = score(H_k \odot x + (1 - H_k) \odot x') - score(x')$ is the increase of confidence by
    channel k of the trunk's features f: its map, enlarged linearly to the image and scaled to
    [0, 1] by its own minimum and maximum, is the mask $H_k$. x' is the image of `fill`, in the
    input's units; 0 is the paper's. Constant maps have no mask: their channels are left out. Scores
    decide the softmax: a probability weights channels nearly alike, a logit a few of them alone.
    `softmax=False` weights by $C_k$ itself.

    A lies on the grid of f, at least 0 and unscaled; `relu=False` keeps the sign. Each channel
    costs an evaluation, scanned, `chunk` in one batch: memory is that of one. `channels` takes
    those of the largest variance over the grid alone, None all. Raises `InputError` as `CAM` does,
    for features with another number of axes than the image, and for a fill that does not fit.

    torch-cam scales the maps before it enlarges them, and pytorch-grad-cam enlarges them with the
    corners of both grids aligned: masks that differ by up to a grid position.

    Wang et al. (2020), arXiv:1910.01279, sec. 3 and algorithm 1.
    """

    channels: int | None = None
    fill: Fill = 0.0
    softmax: bool = True
    relu: bool = True
    chunk: int = 1

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign
    reads_trunk: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_fields(self, channels=CHANNELS, fill=FILL, softmax=FLAG, relu=RELU)
        check_fields(self, chunk=integer(1))

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        del shape
        further = 1 if self.softmax else 2  # the trunk's features, and the score of the fill
        return channel_passes(self) + Passes(evaluations=further)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*grid 1"]:
        image = jnp.asarray(image)
        features = fold_tokens(widen(raw_features(score, image)), image.shape[:-1])
        if features.ndim != image.ndim:
            raise InputError(
                f"ScoreCAM masks an image of shape {image.shape} by features of shape "
                f"{features.shape}, which have another number of axes: give a trunk that returns "
                "features on a grid"
            )
        channels = strong_channels(features, self.channels)
        start = filled(self.fill, score, image, key)

        def evaluate(channel: Array) -> tuple[Scalar, Array]:
            wide = jax.image.resize(features[..., channel], image.shape[:-1], "linear")
            low, high = wide.min(), wide.max()
            constant = low == high
            mask = ((wide - low) / jnp.where(constant, 1, high - low))[..., None]
            masked = start + mask.astype(image.dtype) * (image - start)
            return widen(jnp.asarray(score(masked))), constant

        scores, constant = map_chunks(evaluate, channels, chunk=self.chunk)
        if self.softmax:
            # Softmax of finite numbers also where all maps are constant
            scores = jnp.where(constant, scores.min(), scores)
            weights = jnp.where(constant, 0, jnp.exp(scores - scores.max()))
            total = weights.sum()
            weights = weights / jnp.where(total == 0, 1, total)
        else:
            weights = jnp.where(constant, 0, scores - widen(jnp.asarray(score(start))))
        weighted = weigh_channels(features, channels, weights)
        return jax.nn.relu(weighted) if self.relu else weighted
