"""Deconvolutional network: signals from above, rectified at ReLUs."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array

from salix.attribution.program import explain_by_relu
from salix.typing import Attribution, Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class Deconvnet:
    r"""Deconvolutional network, the gradient with the signal itself rectified at each ReLU.

    At a ReLU a signal r from above becomes $\max(r, 0)$, whatever the ReLU's input was; everywhere
    else it is propagated as the gradient is, through a max-pool to the position of the maximum.
    Signed and unbounded, in units of the score per unit of the input.

    ReLUs are recognised as by `GuidedBackprop`, one with an upper bound (ReLU6) like any other, and
    errors are the same.

    Zeiler and Fergus (2013), arXiv:1311.2901, sec. 2.1.
    """

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image."""
        del shape
        return Passes(gradients=1)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Attribution:
        del key  # deterministic
        return explain_by_relu(score, image, _rectify, "Deconvnet")


def _rectify(y: Array, slope: Array, signal: Array) -> Array:
    del slope
    return jnp.where(jnp.isnan(y), y, jnp.maximum(signal, 0))
