r"""Integrated Jacobians of one input of an encoder, summed over groups of its features.

With features x, a reference r, an encoder e of d outputs and a group g of features,
$G_{gk} = \sum_{i \in g} (x - r)_i \int_0^1 \partial_i e_k(r + t\,(x - r))\,dt$, so that
$\sum_g G_{gk} = e_k(x) - e_k(r)$. The Jacobian, d times the number of features, is never formed: G
takes one product of it with a vector for each group (forward mode, in the direction of the path
within the group) or for each output (reverse mode), the fewer of the two, at each node.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from salix.attribution.integrated_gradients import RULES
from salix.typing import AnyArray

CHUNK = 32  # products computed at once
PathRule = tuple[np.ndarray, np.ndarray]  # nodes in [0, 1], and weights that sum to one


def rectangle(n: int) -> PathRule:
    """Return the one-sided rectangle rule of the released code, of first order: t = 1/n, …, 1."""
    return np.arange(1, n + 1) / n, np.full(n, 1 / n)


PAIR_RULES: dict[str, Callable[[int], PathRule]] = {**RULES, "rectangle": rectangle}


def integrated_sums(
    head: Callable[[Array], Array],
    features: Float[AnyArray, "*space w"],
    reference: Float[AnyArray, "*space w"],
    groups: Int[AnyArray, "*space"],
    nodes: Float[AnyArray, " n"],
    weights: Float[AnyArray, " n"],
    *,
    count: int,
    steps: Any = None,
    reverse: bool | None = None,
) -> Float[Array, "count d"]:
    """Return G, as above, of an encoder `head(features) -> [d]`, signed, in units of e.

    `groups` numbers the group of each position, -1 for positions of none. `steps` uses the first
    nodes alone, and may be traced. `reverse` chooses the mode; None takes the fewer products.
    """
    features, reference = jnp.asarray(features), jnp.asarray(reference)
    groups, path = jnp.asarray(groups), features - reference
    outputs = jax.eval_shape(head, features).shape[0]
    backward = count > outputs if reverse is None else reverse
    products = _by_outputs if backward else _by_groups
    nodes, weights = (jnp.asarray(x).astype(features.dtype) for x in (nodes, weights))

    def add(i: Any, total: Array) -> Array:
        point = reference + nodes[i] * path
        return total + weights[i] * products(head, point, path, groups, count)

    start = jnp.zeros((count, outputs), features.dtype)
    return lax.fori_loop(0, nodes.shape[0] if steps is None else steps, add, start)


def _by_groups(
    head: Callable[[Array], Array], point: Array, path: Array, groups: Array, count: int
) -> Array:
    """Return the derivative of e along the path within each group, [g d]."""
    _, derivative = jax.linearize(head, point)

    def one_group(group: Array) -> Array:
        return derivative(jnp.where((groups == group)[..., None], path, 0))

    numbers = jnp.arange(count, dtype=groups.dtype)
    return lax.map(one_group, numbers, batch_size=min(CHUNK, count))


def _by_outputs(
    head: Callable[[Array], Array], point: Array, path: Array, groups: Array, count: int
) -> Array:
    """Return the same sums from the gradient of each output."""
    outputs, gradient = jax.vjp(head, point)
    segments = jnp.where(groups < 0, count, groups).ravel()

    def one_output(output: Array) -> Array:
        products = jnp.sum(gradient(output)[0] * path, -1).ravel()
        return jax.ops.segment_sum(products, segments, count + 1)[:count]

    units = jnp.eye(outputs.shape[0], dtype=outputs.dtype)
    return lax.map(one_output, units, batch_size=min(CHUNK, len(units))).T
