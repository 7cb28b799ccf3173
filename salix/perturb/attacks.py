"""Adversarial attacks on the pixels of a region: natural evolution strategies, and the gradient."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from salix import hyperparameters as hp
from salix.perturb.attack_steps import Attack, Limits, Region, descend
from salix.typing import Flag, Image, Passes, PRNGKey

POSITIVE = hp.number(lambda x: x > 0, remedy="give a number above 0, in units of the image")


@dataclass(frozen=True)
class NES:
    r"""Attack without gradients: natural evolution strategies with antithetic samples.

    In each of `steps` steps $x \leftarrow x - \text{rate} \cdot \mathrm{sign}(g)$ in the region,
    with $g = \frac{1}{2 n \sigma} \sum_{j=1}^{n} (f(x + \sigma u_j) - f(x - \sigma u_j)) u_j$,
    $u_j$ standard normal in the region and 0 elsewhere: an estimate of the gradient of f, unbiased
    for a linear one. n is `samples`, $\sigma$ is `noise`. `radius` bounds the change of each value;
    None: it is unbounded. With `grey` one draw serves all channels of a pixel. All in units of the
    image. Below `noise` 0.001, and in fewer than 32 bits, differences of f may round to 0.

    2 n passes a step. Raises `InputError` for unusable fields.

    Wierstra et al. (2014), JMLR 15; as an attack Ilyas et al. (2018), arXiv:1804.08598, sec. 3.
    Defaults: the released code of Tsigos et al. (2024), arXiv:2404.18649.
    """

    samples: int = 40
    noise: float = 0.001
    steps: int = 50
    rate: float = 1 / 255
    radius: float | None = 16 / 255
    grey: bool = False

    def __post_init__(self) -> None:
        hp.check_fields(
            self,
            samples=hp.integer(1),
            noise=POSITIVE,
            steps=hp.integer(1),
            rate=POSITIVE,
            radius=hp.optional(POSITIVE),
            grey=hp.FLAG,
        )

    @property
    def passes(self) -> Passes:
        """Two passes a sample and step."""
        return Passes(evaluations=2 * self.samples * self.steps)

    def __call__(
        self,
        function: Callable[[Image], Any],
        image: Image,
        region: Region,
        key: PRNGKey,
        *,
        limits: Limits = None,
        succeeded: Callable[[Image], Flag] | None = None,
        chunk: int = 1,
    ) -> Array:
        def direction(x: Array, key: PRNGKey) -> Array:
            return self.estimate(function, x, region, key, chunk=chunk)

        return descend(self, direction, image, region, key, limits, succeeded)

    def estimate(
        self,
        function: Callable[[Image], Any],
        image: Image,
        region: Region,
        key: PRNGKey,
        *,
        chunk: int = 1,
    ) -> Array:
        """Return the estimate g of the gradient at an image, 0 outside of the region."""
        x, inside = jnp.asarray(image), jnp.asarray(region)[..., None]
        shape = (*x.shape[:-1], 1) if self.grey else x.shape
        # Without a remainder the function is compiled once.
        size = next(n for n in range(min(chunk, self.samples), 0, -1) if self.samples % n == 0)

        def sample(index: Array) -> Array:
            noise = jax.random.normal(jax.random.fold_in(key, index), shape, x.dtype)
            draw = jnp.where(inside, noise, 0)
            after, before = jax.vmap(function)(x[None] + self.noise * jnp.stack([draw, -draw]))
            return (after - before) * draw

        def add(total: Array, first: Array) -> tuple[Array, None]:
            return total + jax.vmap(sample)(first + jnp.arange(size, dtype=jnp.int32)).sum(0), None

        firsts = jnp.arange(0, self.samples, size, dtype=jnp.int32)
        total, _ = lax.scan(add, jnp.zeros(shape, x.dtype), firsts)
        scale = 1 / (2 * self.samples * self.noise)
        return jnp.broadcast_to(scale * total, x.shape)


@dataclass(frozen=True)
class SignGradient:
    r"""White-box attack: projected steps along the sign of the gradient.

    In each of `steps` steps $x \leftarrow x - \text{rate} \cdot \mathrm{sign}(\nabla f(x))$ in the
    region; no value changes by more than `radius`, in units of the image. One gradient a step. The
    defaults are ours: `radius` is that of `NES`, and twice as far as it the steps can lead. Raises
    `InputError` for unusable fields.

    Madry et al. (2018), arXiv:1706.06083, sec. 2.1, without their random start.
    """

    steps: int = 16
    rate: float = 2 / 255
    radius: float | None = 16 / 255

    def __post_init__(self) -> None:
        hp.check_fields(self, steps=hp.integer(1), rate=POSITIVE, radius=hp.optional(POSITIVE))

    @property
    def passes(self) -> Passes:
        """One gradient a step."""
        return Passes(gradients=self.steps)

    def __call__(
        self,
        function: Callable[[Image], Any],
        image: Image,
        region: Region,
        key: PRNGKey,
        *,
        limits: Limits = None,
        succeeded: Callable[[Image], Flag] | None = None,
        chunk: int = 1,
    ) -> Array:
        del chunk
        gradient = jax.grad(function)
        return descend(self, lambda x, key: gradient(x), image, region, key, limits, succeeded)


ATTACKS: dict[str, type] = {"NES": NES, "SignGradient": SignGradient}


def _plain_attack(value: Any) -> Any:
    if isinstance(value, type) or not isinstance(value, Attack):
        raise ValueError
    return value


ATTACK = hp.Hyperparameter(
    _plain_attack, f"give one of {', '.join(f'{name}()' for name in ATTACKS)}"
)
