"""HiResCAM: features times the gradient of the head."""

from dataclasses import dataclass
from typing import ClassVar

import jax
from jaxtyping import Array, Float

from salix.attribution.cam import head_gradient
from salix.attribution.gradcam import RELU
from salix.hyperparameters import check_fields
from salix.typing import Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class HiResCAM:
    r"""HiResCAM, $A_p = \sum_k g_{kp} f_{kp}$, signed.

    g is the gradient of the head at the trunk's features f and p a position of their grid. Where
    the head is linear, or piecewise linear without biases, A adds up to the score less its bias:
    it shows the positions that the head used and no others. For global average pooling and a
    linear layer A is `CAM()` divided by the number of positions, and `GradCAM(relu=False)`.

    A lies on the grid of f, in units of the score. `relu=True` keeps the positive part, as
    pytorch-grad-cam does. Raises `InputError` as `CAM` does.

    Draelos and Carin (2020), arXiv:2011.08891, sec. 3.
    """

    relu: bool = False

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
        products = (gradient * features).sum(-1, keepdims=True)
        return jax.nn.relu(products) if self.relu else products
