"""XGrad-CAM: features weighted by the mean gradient where they are active."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.attribution.cam import head_gradient
from salix.attribution.gradcam import RELU
from salix.hyperparameters import check_fields
from salix.typing import Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class XGradCAM:
    r"""XGrad-CAM, $A = ReLU(\sum_k w_k f_k)$, $w_k = \sum_p f_{kp} g_{kp} / \sum_p f_{kp}$.

    g is the gradient of the head at the trunk's features f and p a position of their grid: the
    mean gradient of a channel, weighted by its activation. With `relu=False` the sum of A over
    the grid is $\sum_{kp} f_{kp} g_{kp}$, which is the score less its bias wherever the head is
    piecewise linear (the paper's conservation).

    A lies on the grid of f, at least 0 and unscaled; `relu=False` keeps the sign. A channel of
    zeros adds nothing. One whose features cancel to a sum of zero has no weight: the map is not
    finite. Raises `InputError` as `CAM` does.

    Fu et al. (2020), arXiv:2008.02312, eq. 8.
    """

    relu: bool = True

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign
    reads_trunk: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_fields(self, relu=RELU)

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        del shape
        return Passes(gradients=1)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*grid 1"]:
        del key  # deterministic
        features, gradient = head_gradient(score, image)
        grid = tuple(range(features.ndim - 1))
        silent = (features == 0).all(grid, keepdims=True)
        total = jnp.where(silent, 1, features.sum(grid, keepdims=True))
        weights = (features * gradient).sum(grid, keepdims=True) / total
        weighted = (weights * features).sum(-1, keepdims=True)
        return jax.nn.relu(weighted) if self.relu else weighted
