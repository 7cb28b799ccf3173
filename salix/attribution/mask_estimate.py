"""Estimates from random masks: standard errors and the rule that ends the sampling."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Integer

from salix.attribution.segment_game import rounding
from salix.hyperparameters import number

TOLERANCE = number(lambda n: n >= 0, remedy="give a share of the attribution's range, 0 or more")
INTERVAL = 100  # masks between two checks, and before the first


class MaskEstimate(NamedTuple):
    r"""Attribution estimated from random masks, with its error.

    `standard_error` estimates the standard deviation of each value over other draws of as many
    masks, in units of the attribution; NaN where there are too few of them to estimate it. It is
    the error of the sampling alone. `samples` is the number of masks or coalitions that were drawn.
    """

    attribution: Float[Array, "*space 1"]
    standard_error: Float[Array, "*space 1"]
    samples: Integer[Array, ""]


def is_precise(
    values: Float[Array, " n"], errors: Float[Array, " n"], tolerance: float
) -> Bool[Array, ""]:
    r"""Return whether $\max_i \sigma_i \le t\,(\max_i A_i - \min_i A_i)$, with t the tolerance.

    False for values that are equal up to rounding, whose range says nothing yet, and for NaN.

    Covert and Lee (2021), arXiv:2012.01536, on the detection of convergence, and their code.
    """
    extent = values.max() - values.min()
    return (extent > rounding(values)) & (errors.max() <= tolerance * extent)


class WeightedMoments(NamedTuple):
    r"""Sum of weights W, mean $\bar x = \sum w x / W$ and $\sum w (x - \bar x)^2$.

    Centred before it is squared, so that a large mean costs no digits; 0 where all weights are 0.

    Chan, Golub and LeVeque (1983), doi:10.1080/00031305.1983.10483115.
    """

    weight: Array
    mean: Array
    squares: Array

    @staticmethod
    def of(values: Float[Array, "k *n"], weights: Float[Array, "k *m"]) -> "WeightedMoments":
        """Return the moments over the first axis."""
        weight = weights.sum(0)
        mean = _share((weights * values).sum(0), weight)
        return WeightedMoments(weight, mean, (weights * (values - mean[None]) ** 2).sum(0))

    def merge(self, other: "WeightedMoments") -> "WeightedMoments":
        """Return the moments of the values of both."""
        weight = self.weight + other.weight
        share, shift = _share(other.weight, weight), other.mean - self.mean
        squares = self.squares + other.squares + shift**2 * (self.weight * share)
        return WeightedMoments(weight, self.mean + shift * share, squares)


def _share(part: Array, weight: Array) -> Array:
    return jnp.where(weight > 0, part / jnp.where(weight > 0, weight, 1), 0)
