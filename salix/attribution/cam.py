"""Class activation maps: features weighted by the gradient of the head."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.attribution.token_grid import fold_tokens
from salix.precision import widen
from salix.typing import (
    HOW_TO_CUT,
    Features,
    Image,
    InputError,
    Passes,
    PRNGKey,
    ScoreLike,
    as_score,
)


@dataclass(frozen=True)
class CAM:
    r"""Class activation map $A = \sum_k w_k f_k$, $w_k = \sum_{grid} \partial head/\partial f_k$.

    f are the trunk's features and A lies on their grid, signed and unscaled. For a head of global
    average pooling and a linear layer $w_k$ is that layer's weight for the class: the published
    map, without mean over the grid, ReLU or bias. For any other head it is the map of the head's
    linearisation at these features. Raises `InputError` for a score without a trunk.

    Zhou et al. (2016), arXiv:1512.04150, sec. 2.
    """

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign
    reads_trunk: ClassVar[bool] = True

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        del shape
        return Passes(gradients=1)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*grid 1"]:
        del key  # deterministic
        features, gradient = head_gradient(score, image)
        weights = gradient.sum(tuple(range(features.ndim - 1)), keepdims=True)
        return (weights * features).sum(-1, keepdims=True)


def head_gradient(score: ScoreLike, image: Image) -> tuple[Features, Features]:
    """Return the trunk's features of an image, and the gradient of the head at them, in 32 bits.

    Both on the grid of the features: the tokens [n k] of a transformer are put on the grid of its
    patches, without the class token. Raises `InputError` for a trunk that returns the image itself,
    and for tokens that fit no grid.
    """
    features = raw_features(score, image)
    gradient = jax.grad(as_score(score).head)(features)
    space = jnp.shape(image)[:-1]
    return fold_tokens(widen(features), space), fold_tokens(widen(gradient), space)


def raw_features(score: ScoreLike, image: Image) -> Features:
    """Return what the trunk returns for an image; `InputError` where it is the image itself."""
    score, image = as_score(score), jnp.asarray(image)
    features = score.trunk(image)
    if features is image:
        raise InputError(f"a class activation map needs the features of a trunk: {HOW_TO_CUT}")
    return features
