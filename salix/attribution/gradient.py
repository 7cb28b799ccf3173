"""The gradient of the score with respect to the image."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from salix.typing import Attribution, Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class Gradient:
    r"""Gradient of the score at the image, $A(x) = \nabla f(x)$.

    Signed and unbounded, in units of the score per unit of the input.

    Simonyan, Vedaldi and Zisserman (2013), arXiv:1312.6034, sec. 3; their map is
    `pool(A, "abs_max")`.
    """

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        del shape
        return Passes(gradients=1)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Attribution:
        del key  # deterministic
        return jax.grad(score)(jnp.asarray(image))
