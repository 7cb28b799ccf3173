"""Class activation maps: features weighted by what the head makes of them."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.typing import Image, PRNGKey, ScoreLike, as_score


@dataclass(frozen=True)
class CAM:
    r"""Class activation map $A = \sum_k w_k f_k$, $w_k = \sum_{cells} \partial head/\partial f_k$.

    f are the trunk's features and A lies on their grid, signed and unscaled. For a head of global
    average pooling and a linear layer $w_k$ is that layer's weight for the class: the published
    map, with no factor 1/cells, no ReLU and no bias. For any other head it is the map of the
    head's linearisation at these features. A score that is a plain function has no trunk: then
    the features are the channels of the image.

    Zhou et al. (2016), arXiv:1512.04150, sec. 2.
    """

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*grid 1"]:
        del key  # deterministic
        score = as_score(score)
        features = score.trunk(jnp.asarray(image))
        gradient = jax.grad(score.head)(features)
        weights = gradient.sum(tuple(range(features.ndim - 1)), keepdims=True)
        return (weights * features).sum(-1, keepdims=True)
