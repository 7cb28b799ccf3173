"""Class activation maps: features weighted by the gradient of the head."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.typing import Features, Image, PRNGKey, ScoreLike, as_score


@dataclass(frozen=True)
class CAM:
    r"""Class activation map $A = \sum_k w_k f_k$, $w_k = \sum_{grid} \partial head/\partial f_k$.

    f are the trunk's features and A lies on their grid, signed and unscaled. For a head of global
    average pooling and a linear layer $w_k$ is that layer's weight for the class: the published
    map, without mean over the grid, ReLU or bias. For any other head it is the map of the head's
    linearisation at these features. A score that is a plain function has no trunk: then
    the features are the channels of the image.

    Zhou et al. (2016), arXiv:1512.04150, sec. 2.
    """

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*grid 1"]:
        del key  # deterministic
        features, gradient = head_gradient(score, image)
        weights = gradient.sum(tuple(range(features.ndim - 1)), keepdims=True)
        return (weights * features).sum(-1, keepdims=True)


def head_gradient(score: ScoreLike, image: Image) -> tuple[Features, Features]:
    """Return the trunk's features of an image, and the gradient of the head at them."""
    score = as_score(score)
    features = score.trunk(jnp.asarray(image))
    return features, jax.grad(score.head)(features)
