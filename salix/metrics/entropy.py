"""Two entropies of a map, which are different measures: of its grey values and of its places."""

import math

import jax.numpy as jnp
from jaxtyping import Array

from salix.metrics.arrays import as_float, as_mass
from salix.typing import Map, Scalar


def _bits(p: Array) -> Scalar:
    """Shannon entropy in bits; an empty cell adds nothing, and nothing infinite to the gradient."""
    return (-p * jnp.log2(jnp.where(p > 0, p, 1))).sum()


def histogram_entropy(map: Map, normalise: bool = True) -> Scalar:
    r"""Shannon entropy of the histogram of a map's 8-bit grey values: where they lie is not seen.

    $-\sum_v p_v \log_2 p_v$ with $p_v$ the share of cells of grey value v, in bits; normalised it
    is divided by $\log_2 \min(cells, 256)$. Range [0, 1], or up to 8 bits; 0 for a constant map.
    8-bit maps are used as they are; floats in [0, 1] become $\lfloor 255 m \rfloor$, computed in
    their own type (of 32 bits at least). NaN if a value lies outside [0, 1] or is NaN, and
    normalised for a single cell, which has 0 of 0 possible bits. Its gradient is 0.

    Salience entropy of Crum et al. (2023), arXiv:2303.11969 (there 7 x 7, over $\log_2 49$).
    """
    x = as_float(map)
    grey, most = (x, 255) if map.dtype == jnp.uint8 else (255 * x, 1)
    defined = ((x >= 0) & (x <= most)).all()
    bins = jnp.where(defined, grey, 0).astype(jnp.int32).ravel()
    counts = jnp.zeros(256, jnp.int32).at[bins].add(1)  # under vmap one scatter, no sort
    entropy = _bits(counts.astype(x.dtype) / x.size)
    return _over(jnp.where(defined, entropy, jnp.nan), min(x.size, 256), normalise)


def spatial_entropy(map: Map, normalise: bool = True) -> Scalar:
    r"""Shannon entropy of a map read as a distribution over its cells: how spread out it is.

    $-\sum_i p_i \log_2 p_i$ with $p_i = |m_i| / \sum_j |m_j|$, in bits; normalised it is divided
    by $\log_2 cells$. Range [0, 1], or up to $\log_2 cells$: 0 when one cell holds everything, 1
    when all hold the same. Neither sign nor scale matters. Differentiable: gradients are finite at
    cells of 0 too. NaN for a zero or non-finite map, and normalised for a single cell, which has
    0 of 0 possible bits.

    Complexity of Bhatt, Weller and Moura (2020), arXiv:2005.00631 (there in nats).
    """
    mass = as_mass(map)
    return _over(_bits(mass / mass.sum()), mass.size, normalise)


def _over(bits: Scalar, outcomes: int, normalise: bool) -> Scalar:
    most = math.log2(outcomes)
    if not normalise:
        return bits
    return bits / most if most else jnp.full_like(bits, jnp.nan)
