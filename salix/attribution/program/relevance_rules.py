r"""Rules of layer-wise relevance propagation for one affine layer.

Relevance $R_j$ of the outputs z is $z_j c_j$, with multipliers c. A rule returns the multipliers of
the inputs a, those of the first layer the relevance of the inputs itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from salix.attribution.program.layers import Layer


@dataclass(frozen=True)
class RelevanceOptions:
    """Numbers of the rules, and the least and the greatest image, for the first layer."""

    epsilon: float = 1e-6
    gamma: float = 0.25
    beta: float = 1.0
    low: Any = None
    high: Any = None


def stabilise(z: Array, epsilon: float) -> Array:
    """Return z away from zero by `epsilon`, at zero to the positive side; 1 where still zero."""
    moved = z + jnp.where(z >= 0, epsilon, -epsilon).astype(z.dtype)
    return jnp.where(moved == 0, 1, moved)


def _pull(function: Callable[[Array], Array], a: Array, signal: Array) -> Array:
    return jax.vjp(function, a)[1](signal)[0]


def _parts(layer: Layer) -> tuple[Callable[[Array], Array], Callable[[Array], Array], Array]:
    """Return the sums with the positive, with the negative effective weights, and the shift."""
    scale, shift = layer.scale_and_shift()
    positive, negative = jnp.maximum(layer.weights, 0), jnp.minimum(layer.weights, 0)

    def choose(weights: Array, others: Array) -> Callable[[Array], Array]:
        # A negative scale exchanges the signs.
        return lambda a: (
            scale * jnp.where(scale >= 0, layer.weigh(weights, a), layer.weigh(others, a))
        )

    return choose(positive, negative), choose(negative, positive), shift


def zero(layer: Layer, a: Array, z: Array, c: Array, options: RelevanceOptions) -> Array:
    r"""Return LRP-0, $R_i = \sum_j a_i w_{ij} R_j / z_j$."""
    del z, options
    return _pull(lambda a: layer.finish(layer.weigh(layer.weights, a)), a, c)


def epsilon(layer: Layer, a: Array, z: Array, c: Array, options: RelevanceOptions) -> Array:
    r"""Return LRP-epsilon, $R_i = \sum_j a_i w_{ij} R_j / (z_j + \epsilon\,sgn z_j)$."""
    return zero(layer, a, z, c * z / stabilise(z, options.epsilon), options)


def gamma(layer: Layer, a: Array, z: Array, c: Array, options: RelevanceOptions) -> Array:
    r"""Return LRP-gamma: each output raises the contributions of its own sign by gamma.

    For inputs of 0 or more and an output above 0 these are the weights and shifts
    $w + \gamma w^+$. No divisor is less than $|z_j|$, nor than $\gamma / (2 + \gamma)$ of the
    absolute contributions, so that a layer enlarges $\sum |R|$ to $1 + 2 / \gamma$ times at most.
    With $w + \gamma w^+$ for an output below 0 a divisor vanishes where z is -gamma x gain.
    """
    positive, negative, shift = _parts(layer)
    above, below = jnp.maximum(a, 0), jnp.minimum(a, 0)
    gain = positive(above) + negative(below) + jnp.maximum(shift, 0)
    loss = negative(above) + positive(below) + jnp.minimum(shift, 0)
    raises_loss = z < 0
    total = z + options.gamma * jnp.where(raises_loss, loss, gain)
    signal = c * z / stabilise(total, options.epsilon)
    to_gain, to_loss = (jnp.where(raises_loss == r, signal, 0) for r in (False, True))
    from_above = _pull(positive, a, to_gain) + _pull(negative, a, to_loss)
    from_below = _pull(negative, a, to_gain) + _pull(positive, a, to_loss)
    raised = options.gamma * jnp.where(a >= 0, from_above, from_below)
    return zero(layer, a, z, signal, options) + raised


def alpha_beta(layer: Layer, a: Array, z: Array, c: Array, options: RelevanceOptions) -> Array:
    r"""Return the alpha-beta rule, positive and negative contributions $a_i w_{ij}$ apart.

    $R_i = \sum_j ((1 + \beta) z_{ij}^+ / z_j^+ - \beta z_{ij}^- / z_j^-) R_j$; where an output has
    contributions of one sign only, these share all of its relevance.
    """
    positive, negative, shift = _parts(layer)
    above, below = jnp.maximum(a, 0), jnp.minimum(a, 0)
    gain = positive(above) + negative(below) + jnp.maximum(shift, 0)
    loss = negative(above) + positive(below) + jnp.minimum(shift, 0)
    beta = jnp.where(loss == 0, 0, jnp.where(gain == 0, -1, options.beta)).astype(z.dtype)
    to_gain = (1 + beta) * c * z / stabilise(gain, options.epsilon)
    to_loss = beta * c * z / stabilise(-loss, options.epsilon)
    from_above = _pull(positive, a, to_gain) + _pull(negative, a, to_loss)
    from_below = _pull(negative, a, to_gain) + _pull(positive, a, to_loss)
    return jnp.where(a >= 0, from_above, from_below)


def z_plus(layer: Layer, a: Array, z: Array, c: Array, options: RelevanceOptions) -> Array:
    """Return the z-plus rule: positive contributions alone share the relevance."""
    positive, negative, shift = _parts(layer)
    gain = positive(jnp.maximum(a, 0)) + negative(jnp.minimum(a, 0)) + jnp.maximum(shift, 0)
    signal = c * z / stabilise(gain, options.epsilon)
    return jnp.where(a >= 0, _pull(positive, a, signal), _pull(negative, a, signal))


def flat(layer: Layer, a: Array, z: Array, c: Array, options: RelevanceOptions) -> Array:
    """Return the relevance of inputs, equal for all that an output reads."""
    return _in_proportion(layer, jnp.ones_like(layer.weights), a, c * z, options)


def w_square(layer: Layer, a: Array, z: Array, c: Array, options: RelevanceOptions) -> Array:
    """Return the relevance of inputs in proportion to their squared weights."""
    return _in_proportion(layer, layer.weights**2, a, c * z, options)


def _in_proportion(
    layer: Layer, weights: Array, a: Array, relevance: Array, options: RelevanceOptions
) -> Array:
    total, pull = jax.vjp(lambda a: layer.weigh(weights, a), jnp.ones_like(a))
    return pull((relevance / stabilise(total, options.epsilon)).astype(total.dtype))[0]


def box(layer: Layer, a: Array, z: Array, c: Array, options: RelevanceOptions) -> Array:
    r"""Return the z-box rule for inputs between l and h.

    $R_i = \sum_j (a_i w_{ij} - l_i w_{ij}^+ - h_i w_{ij}^-) R_j / \sum_i (\ldots)$.
    """
    positive, negative, shift = _parts(layer)
    linear = lambda a: layer.finish(layer.weigh(layer.weights, a)) - shift  # noqa: E731
    low, high = options.low, options.high
    total = linear(a) - positive(low) - negative(high)
    signal = c * z / stabilise(total, options.epsilon)
    parts = a * _pull(linear, a, signal), low * _pull(positive, a, signal)
    return parts[0] - parts[1] - high * _pull(negative, a, signal)


RelevanceRule = Callable[[Layer, Array, Array, Array, RelevanceOptions], Array]
LAYER_RULES: dict[str, RelevanceRule] = {
    "zero": zero,
    "epsilon": epsilon,
    "gamma": gamma,
    "alpha_beta": alpha_beta,
    "z_plus": z_plus,
}
FIRST_RULES: dict[str, RelevanceRule] = {"flat": flat, "w_square": w_square, "box": box}
