"""The image times the gradient of the score."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from salix.precision import widen
from salix.typing import Attribution, Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class InputXGradient:
    r"""Image times the gradient of the score there, $A(x) = x \odot \nabla f(x)$.

    Signed, in units of the score. Complete, $\sum A = f(x)$, where f is homogeneous of degree one
    (a ReLU network without biases). It depends on the zero of the input.

    Shrikumar et al. (2016), arXiv:1605.01713.
    """

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        del shape
        return Passes(gradients=1)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Attribution:
        del key  # deterministic
        image = jnp.asarray(image)
        return widen(image) * widen(jax.grad(score)(image))
