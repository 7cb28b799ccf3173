"""Guided backpropagation: the gradient without its negative parts at ReLUs."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array

from salix.attribution.program import explain_by_relu
from salix.typing import Attribution, Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class GuidedBackprop:
    r"""Guided backpropagation, the gradient with its negative parts removed at each ReLU.

    At a ReLU with output y a signal r from above becomes $[y > 0]\,[r > 0]\,r$; everywhere else it
    is propagated as the gradient is. Signed and unbounded, in units of the score per unit of the
    input.

    ReLUs are recognised in the traced program by their values, however they are written, and so
    are ReLUs with an upper bound (ReLU6; above the bound the derivative is 0). The paper defines
    the rule for ReLUs only: leaky ReLUs, SiLU, GELU and others have their ordinary derivative.
    Raises `InputError` for a program without a ReLU, where the map would be the gradient, and for a
    primitive without a rule, such as a loop of unknown length.

    The map depends little on the class and on the weights of the last layers (Adebayo et al., 2018,
    arXiv:1810.03292).

    Springenberg et al. (2014), arXiv:1412.6806, sec. 3.4.
    """

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image."""
        del shape
        return Passes(gradients=1)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Attribution:
        del key  # deterministic
        return explain_by_relu(score, image, _guide, "GuidedBackprop")


def _guide(y: Array, slope: Array, signal: Array) -> Array:
    guided = jnp.where((y <= 0) | (signal <= 0), 0, slope * signal)
    return jnp.where(jnp.isnan(y), y, guided)
