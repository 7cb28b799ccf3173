"""LayerCAM: features weighted position by position by the positive gradient."""

from dataclasses import dataclass
from typing import ClassVar

import jax
from jaxtyping import Array, Float

from salix.attribution.cam import head_gradient
from salix.attribution.gradcam import RELU
from salix.hyperparameters import check_fields
from salix.typing import Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class LayerCAM:
    r"""LayerCAM, $A_p = ReLU(\sum_k ReLU(g_{kp}) f_{kp})$.

    g is the gradient of the head at the trunk's features f and p a position of their grid. No
    weight is shared over the grid, so that the maps of early cuts, `model.at("layer1")`, keep
    their detail; `AtCuts(LayerCAM(), ...)` combines several.

    A lies on the grid of f, at least 0 and unscaled; `relu=False` keeps the sign of the sum over
    channels, which differs for features below 0 only. Raises `InputError` as `CAM` does.

    Jiang et al. (2021), doi:10.1109/TIP.2021.3089943, eq. 6 to 8.
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
        weighted = (jax.nn.relu(gradient) * features).sum(-1, keepdims=True)
        return jax.nn.relu(weighted) if self.relu else weighted
