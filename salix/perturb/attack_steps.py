"""Steps of an attack on an image: the protocol, the bounded descent, and the lowered function."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool

from salix.typing import AnyArray, Flag, Image, InputError, Logits, Passes, PRNGKey

Region = Bool[AnyArray, "*space"]
Limits = tuple[float, float] | None


@runtime_checkable
class Attack(Protocol):
    """A perturbation of a region that lowers a function of the image: a frozen dataclass.

    `attack(function, image, region, key)` returns the image with other pixels in the region alone.
    `limits` bound its values; where `succeeded(image)` is true, the attack ends. `chunk` passes
    that do not depend on each other make one batch. `passes` is the cost without `succeeded`.
    """

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
        """Attack one image."""
        ...

    @property
    def passes(self) -> Passes:
        """The cost of one attack."""
        ...

    @property
    def steps(self) -> int:
        """The greatest number of steps, and of calls of `succeeded`."""
        ...


def descend(
    attack: Any,
    direction: Callable[[Array, PRNGKey], Array],
    image: Image,
    region: Region,
    key: PRNGKey,
    limits: Limits,
    succeeded: Callable[[Image], Flag] | None,
) -> Array:
    """Return an image after steps of one size against the sign of a direction, in a region.

    `attack` has the fields `steps`, `rate` and `radius`, `direction(x, key)` the image's axes.
    """
    start, inside = jnp.asarray(image), jnp.asarray(region)[..., None]
    low, high = jnp.full_like(start, -jnp.inf), jnp.full_like(start, jnp.inf)
    if attack.radius is not None:
        low, high = start - attack.radius, start + attack.radius
    if limits is not None:  # a value beyond them stays, and moves only towards them
        low = jnp.maximum(low, jnp.minimum(start, limits[0]))
        high = jnp.minimum(high, jnp.maximum(start, limits[1]))

    def step(state: tuple[Array, Array]) -> tuple[Array, Array]:
        i, x = state
        slope = direction(x, jax.random.fold_in(key, i))
        moved = jnp.clip(x - attack.rate * jnp.sign(slope), low, high)
        return i + 1, jnp.where(inside, moved, start)

    def unfinished(state: tuple[Array, Array]) -> Any:
        i, x = state
        more = i < attack.steps
        return more if succeeded is None else more & ~succeeded(x)

    return lax.while_loop(unfinished, step, (jnp.int32(0), start))[1]


def log_odds(logits: Logits, label: Any) -> Array:
    r"""Return $z_c - \log \sum_{j \neq c} \exp z_j$, the log odds of one class against the others.

    Where the probability rounds to 1, it still has a slope. Raises `InputError` for one class.
    """
    logits = jnp.asarray(logits)
    if logits.shape[-1] < 2:
        raise InputError("an attack lowers one class against others, and the model has one class")
    own = lax.iota(jnp.int32, logits.shape[-1]) == jnp.asarray(label).astype(jnp.int32)
    others = jnp.where(own, -jnp.inf, logits)
    return logits[label] - jax.nn.logsumexp(others)
