"""Histogram and spatial entropy of a map."""

import math

import jax.numpy as jnp
from jaxtyping import Array

from salix.hyperparameters import FLAG, check_value, choice
from salix.metrics.inputs import as_float, as_mass
from salix.typing import Map, Scalar

UNIT = choice(("bits", "nats"))


def histogram_entropy(map: Map, *, normalise: bool = True) -> Scalar:
    r"""Shannon entropy of the histogram of a map's 8-bit grey values, at any positions.

    $-\sum_v p_v \log_2 p_v$ with $p_v$ the share of pixels of grey value v, in bits; normalised it
    is divided by $\log_2 \min(n, 256)$ for n pixels. Range [0, 1], or up to 8 bits; 0 for a
    constant map. 8-bit maps are used unchanged; floats in [0, 1] become $\lfloor 255 m \rfloor$,
    computed in their own type (of 32 bits at least). NaN if a value is NaN or outside [0, 1], and
    normalised for a single pixel, which has 0 of 0 possible bits. Its gradient is 0.

    Salience entropy of Crum et al. (2023), arXiv:2303.11969 (there 7 x 7, over $\log_2 49$).
    """
    x, normalise = as_float(map), check_value("normalise", normalise, FLAG)
    grey, highest = (x, 255) if map.dtype == jnp.uint8 else (255 * x, 1)
    defined = ((x >= 0) & (x <= highest)).all()
    bins = jnp.where(defined, grey, 0).astype(jnp.int32).ravel()
    counts = jnp.zeros(256, jnp.int32).at[bins].add(1)  # under vmap one scatter, no sort
    entropy = _entropy_bits(counts.astype(x.dtype) / x.size)
    return _divide_by_maximum(jnp.where(defined, entropy, jnp.nan), min(x.size, 256), normalise)


def spatial_entropy(map: Map, *, normalise: bool = True, unit: str = "bits") -> Scalar:
    r"""Shannon entropy of a map as a probability distribution over its pixels.

    $-\sum_i p_i \log_2 p_i$ with $p_i = |m_i| / \sum_j |m_j|$, in bits, or with the natural
    logarithm in nats, as `unit` says; normalised it is divided by $\log_2 n$ for n pixels, and has
    no unit. Range [0, 1], or up to $\log_2 n$ bits: 0 when one pixel has all the mass, 1 when all
    have the same. Neither sign nor scale matters. Differentiable: gradients are
    finite at zero pixels too. NaN for a zero or non-finite map, and normalised for a single pixel,
    which has 0 of 0 possible bits. Raises `InputError` for another unit.

    Complexity of Bhatt, Weller and Moura (2020), arXiv:2005.00631 (there in nats).
    """
    mass, normalise = as_mass(map), check_value("normalise", normalise, FLAG)
    unit = check_value("unit", unit, UNIT)
    entropy = _divide_by_maximum(_entropy_bits(mass / mass.sum()), mass.size, normalise)
    return entropy if normalise or unit == "bits" else entropy * math.log(2)


def _entropy_bits(p: Array) -> Scalar:
    # A zero probability adds 0, and nothing infinite to the gradient.
    return (-p * jnp.log2(jnp.where(p > 0, p, 1))).sum()


def _divide_by_maximum(bits: Scalar, outcomes: int, normalise: bool) -> Scalar:
    maximum = math.log2(outcomes)
    if not normalise:
        return bits
    return bits / maximum if maximum else jnp.full_like(bits, jnp.nan)
