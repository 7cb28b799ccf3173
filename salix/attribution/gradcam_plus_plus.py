"""Grad-CAM++: features weighted by positive gradients, each position by its own factor."""

from dataclasses import dataclass
from typing import ClassVar

import jax
from jaxtyping import Array, Float

from salix.attribution.cam import head_gradient
from salix.attribution.gradcam import RELU
from salix.hyperparameters import check_fields
from salix.typing import Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class GradCAMPlusPlus:
    r"""Grad-CAM++, $A = ReLU(\sum_k w_k f_k)$, $w_k = \sum_p \alpha_{kp} ReLU(g_{kp})$.

    g is the gradient of the head at the trunk's features f, p a position of their grid, and
    $\alpha_{kp} = g_{kp}^2 / (2 g_{kp}^2 + g_{kp}^3 \sum_q f_{kq})$: the closed form for the
    explained class $Y = e^{score}$, whose higher derivatives are powers of g where the head is
    piecewise linear. Y itself, one positive factor of the whole map, is left out. Where g is not
    positive a position adds nothing, so that $w_k = \sum_p ReLU(g) / (2 + ReLU(g) \sum_q f_{kq})$.

    A lies on the grid of f, at least 0 and unscaled; `relu=False` keeps the sign of the sum over
    channels. The formula presumes features of at least 0, as a ReLU leaves them: for others a
    denominator may vanish, and the map is not finite. Raises `InputError` as `CAM` does.

    pytorch-grad-cam computes the same with 1e-6 added to the denominator, which outweighs g below
    1e-3; torch-cam means $g_{kq}^3 f_{kq}$ in the sum, and its 0.5.0 leaves the division out.

    Chattopadhyay et al. (2018), arXiv:1710.11063, eq. 9, 10 and 19, and appendix A.
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
        positive = jax.nn.relu(gradient)
        weights = positive / (2 + positive * features.sum(grid, keepdims=True))
        weighted = (weights.sum(grid, keepdims=True) * features).sum(-1, keepdims=True)
        return jax.nn.relu(weighted) if self.relu else weighted
