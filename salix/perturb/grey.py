"""Grey levels of the 8-bit file of an image with values in [0, 1]."""

from functools import reduce

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from salix.typing import Image, InputError

ROUNDINGS = ("round", "truncate")
# Levels k that 64-bit k * (1 / 255) * 255, truncated to an integer, lowers by one: 24 of 256.
LOWERED = np.flatnonzero(np.trunc(np.arange(256) * (1 / 255) * 255) < np.arange(256))
# Error, in grey levels, of a file's value after 32-bit normalisation and its inverse.
TOLERANCE = 1e-3


def grey_levels(pixels: Image, eight_bit: str = "round") -> Float[Array, "*space c"]:
    """Return the grey levels, whole floats from 0 to 255, of pixel values in [0, 1].

    "round" takes the nearest level, "truncate" the next lower. A value read from a file, which is
    a whole level up to rounding, is truncated as released: through 64-bit k * (1 / 255) * 255,
    which lowers 24 of the 256 levels by one. Raises `InputError` for another `eight_bit`.
    """
    if eight_bit not in ROUNDINGS:
        raise InputError(f"eight_bit is {eight_bit!r}: choose one of {', '.join(ROUNDINGS)}")
    scaled = jnp.clip(pixels, 0, 1) * 255
    nearest = jnp.round(scaled)
    if eight_bit == "round":
        return nearest
    # Comparisons are vectorised, and a gather from a table is not.
    lowered = reduce(jnp.logical_or, [nearest == int(k) for k in LOWERED])
    truncated = nearest - lowered.astype(scaled.dtype)
    return jnp.where(jnp.abs(scaled - nearest) < TOLERANCE, truncated, jnp.floor(scaled))
