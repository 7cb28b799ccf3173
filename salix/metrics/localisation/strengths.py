"""Absolute values of a map and the pixels inside a reference mask."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from salix.metrics.inputs import as_float, as_share
from salix.typing import Flag, InputError, Map, ReferenceMask, Scalar


def check_shapes(map: Map, mask: ReferenceMask) -> None:
    """Raise `InputError` for a map and a mask of different shapes."""
    if map.shape != mask.shape:
        raise InputError(f"the map has shape {map.shape} and the mask {mask.shape}: resize one")


def map_strengths(
    map: Map, mask: ReferenceMask
) -> tuple[Float[Array, "*space"], Bool[Array, "*space"], Flag]:
    """Return the strengths $|m|$, the pixels inside, and whether map and mask are usable."""
    check_shapes(map, mask)
    strength, share = lax.stop_gradient((jnp.abs(as_float(map)), as_share(mask)))
    peak, inside = strength.max(), share > 0.5
    masked = jnp.isfinite(share).all() & inside.any()
    return strength, inside, masked & (peak > 0) & jnp.isfinite(peak)


def count_pixels(pixels: Bool[Array, "*space"], like: Float[Array, "*space"]) -> Scalar:
    """Count pixels in the type of `like`."""
    return pixels.sum(dtype=like.dtype)


def hits_of_strongest(
    strength: Float[Array, "*space"], inside: Bool[Array, "*space"], area: Scalar
) -> Scalar:
    """Count the `area` strongest pixels that lie inside.

    Pixels that tie for the last places share them, as random order would on average.
    """
    # XLA sorts integers faster than floats, and non-negative floats order as their bits.
    bits = jnp.int32 if strength.dtype.itemsize == 4 else jnp.int64
    order = jnp.sort(lax.bitcast_convert_type(strength.ravel(), bits))
    last = order[jnp.minimum(strength.size - area.astype(jnp.int32), strength.size - 1)]
    lowest = lax.bitcast_convert_type(last, strength.dtype)
    above, tied = strength > lowest, strength == lowest
    places = (area - count_pixels(above, strength)) / jnp.maximum(count_pixels(tied, strength), 1)
    return count_pixels(above & inside, strength) + places * count_pixels(tied & inside, strength)
