"""Columns of one map: its entropies, its concentration, and its stored form."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Float

from salix.metrics import gini, histogram_entropy, spatial_entropy, to_8_bit
from salix.typing import AnyArray, Map, Values


def map_numbers(scaled: Map) -> Values:
    """Return the numbers of a map in [0, 1], which are undefined for a constant one."""
    return {
        "histogram_entropy": histogram_entropy(to_8_bit(scaled)),
        "spatial_entropy": spatial_entropy(scaled),
        "gini": gini(scaled),
    }


def stored_map(scaled: Map, maps: str | None, side: int) -> Values:
    """Return the column of a map in [0, 1] as the type `maps`; none for None."""
    if maps is None:
        return {}
    small = shrink(scaled, side)
    return {"map": to_8_bit(small) if maps == "uint8" else small.astype(maps)}


def shrink(map: Map, side: int = 64) -> Float[AnyArray, "*small"]:
    """Average a map down until its longest side is at most `side`; a smaller one is unchanged."""
    ratio = side / max(map.shape)
    if ratio >= 1:
        return map
    shape = tuple(math.ceil(length * ratio) for length in map.shape)
    return jnp.clip(jax.image.resize(map, shape, "linear", antialias=True), 0, 1)
