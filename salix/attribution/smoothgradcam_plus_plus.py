"""Smooth Grad-CAM++: Grad-CAM++ of gradients averaged over noisy copies of the image."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.attribution.cam import head_gradient, raw_features
from salix.attribution.gradcam import RELU
from salix.attribution.smoothgrad import NOISE
from salix.attribution.token_grid import fold_tokens
from salix.hyperparameters import check_fields, integer
from salix.precision import widen
from salix.typing import Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class SmoothGradCAMPlusPlus:
    r"""Smooth Grad-CAM++, $A = ReLU(\sum_k w_k f_k)$, $w_k = \sum_p \alpha_{kp} ReLU(D^1_{kp})$.

    $D^n$ is the mean of $g^n$ over noisy copies of the image, g the gradient of the head at their
    features, and $\alpha_{kp} = D^2_{kp} / (2 D^2_{kp} + D^3_{kp} \sum_q f_{kq})$; f are the
    features of the image itself. Noise and `samples` are those of `SmoothGrad`; without noise this
    is `GradCAMPlusPlus`. The factor exp(score) of each copy is left out, as there.

    The paper prints $D^1$ as the numerator of $\alpha$, of another unit than Grad-CAM++'s;
    torch-cam corrects it to $D^2$ too. torch-cam's denominator has the activations within the
    sum, as for Grad-CAM++, and its noise is absolute.

    A lies on the grid of f, at least 0 and unscaled; `relu=False` keeps the sign. Where a
    denominator vanishes the map is not finite. Raises `InputError` as `CAM` and `SmoothGrad` do.

    Omeiza et al. (2019), arXiv:1908.01224, sec. 3.
    """

    samples: int = 16
    noise: float | int = 0.15
    relu: bool = True

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign
    reads_trunk: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_fields(self, samples=integer(1), noise=NOISE, relu=RELU)

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        del shape
        return Passes(evaluations=1, gradients=self.samples)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*grid 1"]:
        image = jnp.asarray(image)
        sigma = self.noise * (image.max() - image.min())
        features = fold_tokens(widen(raw_features(score, image)), image.shape[:-1])

        def add(powers: Array, key: PRNGKey) -> tuple[Array, None]:
            noise = sigma * jax.random.normal(key, image.shape, image.dtype)
            _, gradient = head_gradient(score, image + noise)
            return powers + jnp.stack([gradient, gradient**2, gradient**3]), None

        keys = jax.random.split(key, self.samples)
        zeros = jnp.zeros((3, *features.shape), features.dtype)
        first, second, third = jax.lax.scan(add, zeros, keys)[0] / self.samples
        grid = tuple(range(features.ndim - 1))
        flat = second == 0  # no gradient in any copy
        total = 2 * second + third * features.sum(grid, keepdims=True)
        alpha = second / jnp.where(flat, 1, total)
        weights = (alpha * jax.nn.relu(first)).sum(grid, keepdims=True)
        weighted = (weights * features).sum(-1, keepdims=True)
        return jax.nn.relu(weighted) if self.relu else weighted
