"""VarGrad: the variance of any method over noisy copies of the image."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.attribution.cost import passes_of
from salix.attribution.gradient import Gradient
from salix.attribution.pooling import pooling_of
from salix.attribution.smoothgrad import METHOD, NOISE, noisy_sample
from salix.hyperparameters import check_fields, integer
from salix.typing import Image, Method, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class VarGrad:
    r"""Variance of a method over noisy copies, $\frac{1}{n} \sum_i (M(x + \epsilon_i) - \bar M)^2$.

    The n = `samples` copies and their `noise` are those of `SmoothGrad`, and $\bar M$ is its mean:
    the mean of the squares is `SmoothGrad(square=True)`. At least 0, in squared units of the
    method; 0 for one sample. Centred before it is squared, so that a large mean costs no digits.
    Raises `InputError` as `SmoothGrad` does.

    Adebayo et al. (2018), arXiv:1810.03307.
    """

    method: Method = field(default_factory=Gradient)
    samples: int = 16
    noise: float | int = 0.15

    def __post_init__(self) -> None:
        check_fields(self, method=METHOD, samples=integer(1), noise=NOISE)

    @property
    def pooling(self) -> str:
        """The pooling of the inner method."""
        return pooling_of(self.method)

    @property
    def reads_trunk(self) -> bool:
        """Whether the inner method reads the trunk's features."""
        return getattr(self.method, "reads_trunk", False)

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        return self.samples * passes_of(self.method, shape)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*grid k"]:
        sample = noisy_sample(self.method, score, jnp.asarray(image), self.noise)
        shape = jax.eval_shape(sample, key)  # a CAM has another shape than the image
        zero = jnp.zeros(shape.shape, shape.dtype)

        # Welford (1962), doi:10.1080/00401706.1962.10490022
        def add(state: tuple[Array, Array, Array], key: PRNGKey) -> tuple[tuple, None]:
            count, mean, squares = state
            count, further = count + 1, sample(key) - mean
            # The square is one factor, so that rounding leaves no variance below 0.
            squares = squares + further**2 * ((count - 1) / count)
            return (count, mean + further / count, squares), None

        keys = jax.random.split(key, self.samples)
        start = jnp.zeros((), shape.dtype), zero, zero
        return jax.lax.scan(add, start, keys)[0][2] / self.samples
