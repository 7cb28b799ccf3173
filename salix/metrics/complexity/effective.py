"""Number of pixels that a map uses."""

import jax.numpy as jnp
from jax import lax

from salix.hyperparameters import FLAG, check_value, number
from salix.metrics.inputs import as_mass
from salix.typing import Map, Scalar

EPSILON = number(lambda n: 0 <= n < 1, remedy="give a share of the maximum, in [0, 1)")


def effective_complexity(map: Map, *, eps: float = 1e-5, normalise: bool = False) -> Scalar:
    r"""Number of pixels that a map uses, $|\{i: |m_i| > \epsilon \max |m|\}|$.

    Range [1, n] for n pixels, or (0, 1] `normalise`d by n; lower is simpler. Neither sign nor scale
    matters; the gradient is 0. NaN for a zero or non-finite map. Raises `InputError` for `eps`
    outside [0, 1).

    After the effective complexity of Nguyen and Martinez (2020), arXiv:2007.07584, who choose the
    number of pixels by the loss of the model without the others.
    """
    eps, normalise = check_value("eps", eps, EPSILON), check_value("normalise", normalise, FLAG)
    mass = lax.stop_gradient(as_mass(map))
    count = (mass > eps).sum(dtype=mass.dtype)
    return jnp.where(jnp.isnan(mass).any(), jnp.nan, count / mass.size if normalise else count)
