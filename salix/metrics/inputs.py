"""Validation and conversion of the arrays that metrics receive."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Shaped

from salix.typing import AnyArray, GridMap, InputError, Map, ReferenceMask


def as_float(values: Shaped[AnyArray, "*space"]) -> Float[Array, "*space"]:
    """Return a map as floats of 32 bits or more, its values unchanged (8-bit 200 is 200.0).

    Raises `InputError` for a map without pixels.
    """
    x = jnp.asarray(values)
    if x.size == 0:
        raise InputError(f"a map of shape {x.shape} has no pixels")
    wide = jnp.issubdtype(x.dtype, jnp.floating) and jnp.finfo(x.dtype).bits >= 32
    return x if wide else x.astype(jnp.float32)


def as_pair(a: Map, b: GridMap) -> tuple[Array, Array]:
    """Return two maps as floats of one type. Raises `InputError` where their shapes differ."""
    if a.shape != b.shape:
        raise InputError(f"cannot compare maps of shapes {a.shape} and {b.shape}: resize one")
    x, y = as_float(a), as_float(b)
    dtype = max(x.dtype, y.dtype, key=lambda d: d.itemsize)
    return x.astype(dtype), y.astype(dtype)


def as_share(mask: ReferenceMask) -> Float[Array, "..."]:
    """Return a mask as shares in [0, 1]: 8-bit values over 255, bool as 0 and 1, floats unchanged.

    A value outside [0, 1] becomes NaN.
    """
    share = as_float(mask) / (255 if mask.dtype == jnp.uint8 else 1)
    return jnp.where((share >= 0) & (share <= 1), share, jnp.nan)


def as_mass(values: Map) -> Float[Array, "*space"]:
    r"""Return $|m| / \max |m|$, in [0, 1]; NaN everywhere for a zero or non-finite map.

    Sums of huge values stay finite, and sums of tiny ones above zero. For scale-invariant metrics:
    their derivative by the divisor is 0, and is not propagated.
    """
    mass = jnp.abs(as_float(values))
    peak = lax.stop_gradient(mass.max())
    defined = (peak > 0) & jnp.isfinite(peak)
    return jnp.where(defined, mass / jnp.where(defined, peak, 1), jnp.nan)
