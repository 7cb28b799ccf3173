"""Eigen-CAM: the first principal component of the trunk's features."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.attribution.cam import raw_features
from salix.attribution.token_grid import fold_tokens
from salix.hyperparameters import FLAG, check_fields
from salix.precision import widen
from salix.typing import Features, Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class EigenCAM:
    r"""Eigen-CAM, $A = F v_1$: projection of the features on their first singular vector.

    F [positions channels] are the trunk's features and $F = U \Sigma V^T$, so that
    $A = \sigma_1 u_1$. The head plays no part: the map is the same for every class.

    A singular vector has no sign. Here it is the one by which A is high where features are
    strong, $\sum_p A_p |F_p| \ge 0$. For features of at least 0, as a ReLU leaves them, A is then
    at least 0 everywhere. A lies on the grid of F, in units of the features. Two singular values
    that are equal leave the map undetermined between them.

    `centred` subtracts each channel's mean over the grid before the decomposition, as
    pytorch-grad-cam does (without a rule for the sign); the paper does not. Raises `InputError`
    as `CAM` does.

    Muhammad and Yeasin (2020), arXiv:2008.00299, sec. III.
    """

    centred: bool = False

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign
    reads_trunk: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_fields(self, centred=FLAG)

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        del shape
        return Passes(evaluations=1)  # of the trunk alone

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*grid 1"]:
        del key  # deterministic
        features = fold_tokens(widen(raw_features(score, image)), jnp.shape(image)[:-1])
        flat = features.reshape(-1, features.shape[-1])
        scale = jnp.abs(flat).max()  # squares of large features overflow, of small ones vanish
        flat = flat / jnp.where(scale > 0, scale, 1)
        centre = flat.mean(0, keepdims=True) if self.centred else 0
        component = _first_component(flat - centre)
        sign = jnp.where((component * jnp.linalg.norm(flat, axis=1)).sum() < 0, -1, 1)
        return (sign * scale * component).reshape(*features.shape[:-1], 1)


def _first_component(rows: Features) -> Float[Array, " n"]:
    r"""Return $\sigma_1 u_1$ of a matrix [n k], of either sign, by its smaller Gram matrix."""
    rows, multiply = jnp.asarray(rows), partial(jnp.matmul, precision="highest")
    if rows.shape[0] > rows.shape[1]:
        return multiply(rows, jnp.linalg.eigh(multiply(rows.T, rows))[1][:, -1])
    values, vectors = jnp.linalg.eigh(multiply(rows, rows.T))
    return jnp.sqrt(jnp.maximum(values[-1], 0)) * vectors[:, -1]
