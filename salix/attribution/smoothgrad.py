"""SmoothGrad: the mean of any method over noisy copies of the image."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.attribution.chunks import sum_chunks
from salix.attribution.cost import passes_of
from salix.attribution.gradient import Gradient
from salix.attribution.pooling import pooling_of
from salix.hyperparameters import (
    FLAG,
    Hyperparameter,
    check_fields,
    integer,
    number,
    settings_text,
)
from salix.precision import widen
from salix.typing import Attribution, Image, Method, Passes, PRNGKey, ScoreLike


def _plain_method(value: Any) -> Any:
    if isinstance(value, type) or not callable(value):
        raise ValueError
    return value


METHOD = Hyperparameter(_plain_method, "give a method, such as Gradient()")
NOISE = number(lambda n: n >= 0, remedy="give a share of the image's range, 0 or more")


@dataclass(frozen=True)
class SmoothGrad:
    r"""Mean of a method over noisy copies, $A(x) = \frac{1}{n} \sum_i M(x + \epsilon_i)$.

    With `square` the mean of its squares, $\frac{1}{n} \sum_i M(x + \epsilon_i)^2$, at least 0, in
    squared units: SmoothGrad-Squared.

    $\epsilon_i \sim N(0, \sigma^2)$ with $\sigma$ = `noise` x (max x - min x), the range of this
    image over all its channels; n = `samples`. Every copy is noisy and noise is not clipped, so
    the mean is an unbiased estimate of $E[M(x + \epsilon)]$, summed in float32 or wider. `chunk`
    copies share a batch, with its memory. Units and shape are the method's.
    Raises `InputError` for fewer than one sample, negative noise, or an uncallable `method`.

    Smilkov et al. (2017), arXiv:1706.03825, sec. 2.2 (the mean) and 3.2 (the noise); `square` after
    Hooker et al. (2019), arXiv:1806.10758.
    """

    method: Method = field(default_factory=Gradient)
    samples: int = 16
    noise: float | int = 0.15
    square: bool = field(default=False, metadata={"described": "changed"})
    chunk: int = field(default=1, metadata={"described": "changed"})

    def __post_init__(self) -> None:
        check_fields(self, method=METHOD, samples=integer(1), noise=NOISE, square=FLAG)
        check_fields(self, chunk=integer(1))

    __repr__ = settings_text

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

        keys = jax.random.split(key, self.samples)

        def term(index: Array) -> Attribution:
            value = sample(keys[index])
            return value**2 if self.square else value

        return sum_chunks(term, self.samples, chunk=self.chunk) / self.samples


def noisy_sample(
    method: Method, score: ScoreLike, image: Array, noise: float
) -> Callable[[PRNGKey], Attribution]:
    """Return the function of a key that explains a noisy copy of an image, in 32 bits or more."""
    sigma = noise * (image.max() - image.min())

    def sample(key: PRNGKey) -> Attribution:
        noise_key, method_key = jax.random.split(key)
        noise = sigma * jax.random.normal(noise_key, image.shape, image.dtype)
        return widen(method(score, image + noise, method_key))

    return sample
