"""Maps on the common scale that measures and pictures use: [0, 1] or 8 bits."""

from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import UInt8

from salix.typing import AnyArray, Map


def scale(map: Map) -> tuple[Map, Any]:
    """Scale a map to [0, 1] by its own range, and say whether it is constant: constant or not finite.

    Subtract the least value, divide by the greatest, as published; a constant map becomes zeros.
    """
    map = jnp.asarray(map)
    low, high = map.min(), map.max()
    # An eighth: the range of two large finite numbers must not overflow.
    width = high / 8 - low / 8
    constant_map = ~(jnp.isfinite(width) & (width > 0))
    # One divisor a cell, behind a barrier: XLA would multiply by the reciprocal of a single one,
    # and rounding would take the greatest cell below 1, which in 8 bits is a step.
    divisor = lax.optimization_barrier(
        jnp.broadcast_to(jnp.where(constant_map, 1, width), map.shape)
    )
    return jnp.where(constant_map, 0, (map / 8 - low / 8) / divisor), constant_map


def to_8_bit(scaled: Map) -> UInt8[AnyArray, "*space"]:
    """Quantise a map in [0, 1] to 8 bits by truncation, as published."""
    return jnp.floor(scaled * 255).astype(jnp.uint8)
