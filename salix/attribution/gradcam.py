"""Grad-CAM: features weighted by the mean gradient of the head."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.attribution.cam import head_gradient
from salix.hyperparameters import FLAG, Hyperparameter, check_fields
from salix.typing import Image, Passes, PRNGKey, ScoreLike

RELU = Hyperparameter(
    FLAG.plain, "give True or False; the model names the layer, model.at('layer3')"
)


@dataclass(frozen=True)
class GradCAM:
    r"""Grad-CAM, $A = ReLU(\sum_k \alpha_k f_k)$, $\alpha_k$ the mean of dhead/df_k over the grid.

    f are the trunk's features and A lies on their grid: at least 0, unscaled, and zero everywhere
    if nothing supports the class. `relu=False` keeps the sign; then A is `CAM()` divided by the
    number of grid positions.

    `before_relu` takes the gradient before the ReLU that ends the trunk, $\alpha_k$ the mean of
    $[f_k > 0]\, dhead/df_k$: what hooks record where a network applies that ReLU in place, such as
    torchvision's DenseNet. Raises `InputError` as `CAM` does, and for fields that are no flags.

    Selvaraju et al. (2017), arXiv:1610.02391, sec. 3, eq. 1 and 2.
    """

    relu: bool = True
    before_relu: bool = False

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign
    reads_trunk: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_fields(self, relu=RELU, before_relu=FLAG)

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        del shape
        return Passes(gradients=1)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*grid 1"]:
        del key  # deterministic
        features, gradient = head_gradient(score, image)
        if self.before_relu:
            gradient = jnp.where(features > 0, gradient, 0)
        alpha = gradient.mean(tuple(range(features.ndim - 1)), keepdims=True)
        weighted = (alpha * features).sum(-1, keepdims=True)
        return jax.nn.relu(weighted) if self.relu else weighted
