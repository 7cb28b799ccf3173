"""Min-max normalisation of maps to [0, 1], and their quantisation to 8 bits."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import UInt8

from salix.typing import AnyArray, Flag, Map


def scale(map: Map) -> tuple[Map, Flag]:
    r"""Return a map scaled to [0, 1] by its range, $(m - \min m) / (\max m - \min m)$, and a flag.

    The flag is true where the map is constant or not finite; the scaled map is then zero.
    """
    map = jnp.asarray(map)
    low, high = map.min(), map.max()
    # An eighth: the range of two large finite numbers must not overflow.
    width = high / 8 - low / 8
    constant_map = ~(jnp.isfinite(width) & (width > 0))
    # One divisor a pixel, behind a barrier: XLA would multiply by the reciprocal of a single one,
    # and rounding would take the largest pixel below 1, which in 8 bits is one level.
    divisor = lax.optimization_barrier(
        jnp.broadcast_to(jnp.where(constant_map, 1, width), map.shape)
    )
    return jnp.where(constant_map, 0, (map / 8 - low / 8) / divisor), constant_map


def to_8_bit(scaled: Map) -> UInt8[AnyArray, "*space"]:
    """Quantise a map in [0, 1] to 8 bits by truncation, as published."""
    return jnp.floor(scaled * 255).astype(jnp.uint8)
