"""Gini coefficient of a map."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from salix.metrics.inputs import as_mass
from salix.typing import Map, Scalar


def gini(map: Map) -> Scalar:
    r"""Gini coefficient of the absolute values of a map: 0 when equal, near 1 when concentrated.

    $\sum_i (2i - n - 1)\, a_{(i)} / (n \sum_i a_i)$ with $a_{(1)} \le \dots \le a_{(n)}$ the
    sorted $|m|$ of the n pixels. Range [0, 1 - 1/n]; neither sign, scale nor position matters. NaN
    for a zero or non-finite map.

    Hurley and Rickard (2009), arXiv:0811.4706, table I; sparseness of attributions in Chalasani
    et al. (2020), arXiv:1810.06583.
    """
    a = _sort(as_mass(map).ravel())
    n = a.size
    weights = jnp.arange(1 - n, n, 2, dtype=a.dtype) / n
    return (weights * a).sum() / a.sum()


@jax.custom_jvp
def _sort(a: Array) -> Array:
    # Non-negative floats order as their bits do, and XLA sorts integers several times faster than
    # floats on the CPU. Bits have no derivative, hence the rule below.
    bits = jnp.int32 if a.dtype.itemsize == 4 else jnp.int64
    keys = jnp.sort(jax.lax.bitcast_convert_type(a, bits))
    return jax.lax.bitcast_convert_type(keys, a.dtype)


@_sort.defjvp
def _sort_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    return jax.jvp(jnp.sort, primals, tangents)
