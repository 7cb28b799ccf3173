"""True attributions of a formula: closed forms, for the methods that have one."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from salix.attribution import DeepLIFT
from salix.studies.chaosmining.formulas import Formula

STEPS = 20  # of the path sum, as released
NODES = 64  # of the quadrature of integrated gradients

Rows = Float[np.ndarray, "rows k"]


def true_saliency(formula: Formula, features: Rows) -> Rows:
    r"""Return the signed gradient, $\partial g / \partial x_i$."""
    return formula.gradient(features)


def true_ablation(formula: Formula, features: Rows) -> Rows:
    r"""Return the drop without a feature, $g(x) - g(x | x_i = 0)$."""
    absent = features[:, None] * (1 - np.eye(features.shape[1]))
    return formula(features)[:, None] - formula(absent)


def true_integrated_gradients(formula: Formula, features: Rows) -> Rows:
    r"""Return $x_i \int_0^1 \partial_i g(t x) dt$, by 64 Gauss-Legendre nodes.

    The baseline is 0, and the sum over features is $g(x) - g(0)$.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    pairs = zip((nodes + 1) / 2, weights / 2, strict=True)
    return features * sum(w * formula.gradient(t * features) for t, w in pairs)


def path_sum(formula: Formula, features: Rows, *, steps: int = STEPS) -> Rows:
    r"""Return integrated gradients as released, by differences along the path from 0.

    $\sum_{t < T} g(b_t + e_i x_i / T) - g(b_t)$, $b_t = t x / T$: first order in 1 / T.
    """
    total = np.zeros_like(features)
    step = features[:, None] * np.eye(features.shape[1]) / steps
    for t in range(steps):
        start = t * features / steps
        total += formula(start[:, None] + step) - formula(start)[:, None]
    return total


def true_deeplift(formula: Formula, features: Rows) -> Rows:
    r"""Return DeepLIFT's rescale rule through the formula's own operations, from the baseline 0.

    The release has no such reference. The sum over features is $g(x) - g(0)$.
    """
    key = jax.random.key(0)
    explain = lambda row: DeepLIFT()(formula.traced, row, key)  # noqa: E731
    rows = jnp.asarray(features, jnp.float32)
    return np.asarray(jax.jit(jax.vmap(explain))(rows), np.float64)


# Truths that the released U-Score compares with, by the code of the method.
TRUTHS: dict[str, Callable[[Formula, Rows], Rows]] = {
    "SA": true_saliency,
    "IG": path_sum,
    "FA": true_ablation,
}
