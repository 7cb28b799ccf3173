"""How far two maps agree cell by cell: in value, linearly, and in rank."""

import jax.numpy as jnp
from jax.scipy.stats import rankdata
from jaxtyping import Array

from salix.metrics.arrays import Other, as_float, as_pair
from salix.typing import Map, Scalar


def mae(a: Map, b: Other) -> Scalar:
    r"""Mean absolute difference $\frac{1}{n} \sum_i |a_i - b_i|$, in the units of the maps.

    Range [0, infinity); 0 for equal maps. Raises `InputError` where shapes differ.
    """
    x, y = as_pair(a, b)
    return jnp.abs(x - y).mean()


def _standardise(x: Array) -> Array:
    """Centre on 0 and divide by the norm; NaN for a constant.

    Mapping the range onto [0, 1] first keeps squares finite, and finds constants exactly: the
    rounded mean of equal values may differ from them, which would correlate rounding errors.
    """
    low = x.min()
    span = x.max() - low
    unit = (x - low) / jnp.where(span > 0, span, jnp.nan)
    centred = unit - unit.mean()
    return centred / jnp.sqrt((centred * centred).sum())


def pearson(a: Map, b: Other) -> Scalar:
    r"""Pearson correlation of two maps over their cells.

    $\sum_i (a_i - \bar a)(b_i - \bar b) / \sqrt{\sum_i (a_i - \bar a)^2 \sum_i (b_i - \bar b)^2}$.
    Range [-1, 1]; neither offset nor positive scale matters. NaN if a map is constant or not
    finite. Raises `InputError` where shapes differ.
    """
    x, y = as_pair(a, b)
    return jnp.clip((_standardise(x) * _standardise(y)).sum(), -1, 1)


def spearman(a: Map, b: Other) -> Scalar:
    """Spearman correlation of two maps: Pearson's of the ranks of their cells.

    Equal values share the mean of their ranks. Range [-1, 1]; only order matters. NaN if a map is
    constant or holds a NaN. Ranks are steps, so the gradient is 0. Raises `InputError` where
    shapes differ.

    Spearman (1904), doi:10.2307/1412159.
    """
    return pearson(_ranks(a), _ranks(b))


def _ranks(map: Other) -> Array:
    x = as_float(map)
    # a NaN makes every rank NaN
    return rankdata(x.ravel(), nan_policy="propagate").astype(x.dtype).reshape(x.shape)
