"""Corruptions of an image of values in [0, 1], and the 8 bits of the file that holds the result.

Each takes (pixels, strength, key), with a strength that may be traced, so that levels are scanned.
The draws depend on the key alone: one key gives one field of noise at every strength.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from salix.typing import Image, InputError, PRNGKey, Scalar

Strength = float | Scalar
REACH = 4  # standard deviations after which SciPy cuts the kernel of a blur

# What a grey level k becomes where 64-bit k * (1 / 255) * 255 is cut to an integer: 24 lose one.
TRUNCATED = (np.arange(256) * (1 / 255) * 255).astype(np.uint8)
# Grey levels that a value of a file may be off by after normalisation in 32 bits and back.
OFF = 1e-3


def salt_and_pepper(pixels: Image, amount: Strength, key: PRNGKey) -> Image:
    """Replace a share `amount` of the values, each channel by itself, by 0 or 1 with equal odds.

    Amount 0 changes nothing, 1 replaces all. A larger amount keeps what a smaller one replaced.
    The noise "s&p" of scikit-image's `random_noise`.
    """
    places, colours = jax.random.split(key)
    draw = jax.random.uniform(places, pixels.shape, jnp.float32)
    replaced = draw < jnp.asarray(amount, jnp.float32)
    salt = jax.random.bernoulli(colours, 0.5, pixels.shape)
    return jnp.where(replaced, salt.astype(pixels.dtype), pixels)


def gaussian_noise(pixels: Image, deviation: Strength, key: PRNGKey) -> Image:
    """Add normal noise of a standard deviation in units of [0, 1], and clip to [0, 1].

    One draw is scaled by every deviation. The noise "gaussian" of scikit-image's `random_noise`.
    """
    noise = jax.random.normal(key, pixels.shape, pixels.dtype)
    return jnp.clip(pixels + noise * jnp.asarray(deviation, pixels.dtype), 0, 1)


def gaussian_blur(pixels: Image, sigma: Strength, key: PRNGKey) -> Image:
    """Blur along each axis by a Gaussian of `sigma` pixels, the edges replicated.

    The kernel is sampled at whole pixels, cut at 4 sigma and normalised, as SciPy's
    `gaussian_filter` with mode "nearest". Sigma 0 changes nothing; it is limited to an axis's side.
    """
    del key  # deterministic
    for axis in range(pixels.ndim - 1):
        kernel = _kernel(pixels.shape[axis], jnp.asarray(sigma, pixels.dtype))
        pixels = jnp.moveaxis(
            jnp.tensordot(kernel, pixels, (1, axis), precision=lax.Precision.HIGHEST), 0, axis
        )
    return pixels


def _kernel(side: int, sigma: Scalar) -> Float[Array, "side side"]:
    """Return the matrix of a blur along one axis: row i says what place i is made of."""
    sigma = jnp.clip(sigma, 0, side)
    distance = jnp.arange(REACH * side + 1, dtype=sigma.dtype)
    scaled = distance / jnp.where(sigma > 0, sigma, 1)
    weight = jnp.where(distance <= jnp.floor(REACH * sigma + 0.5), jnp.exp(-(scaled**2) / 2), 0)
    weight /= 2 * weight.sum() - 1  # both sides share the centre, whose weight is 1
    # What falls beyond an edge is the edge's: its column holds all that is as far or farther.
    beyond = jnp.cumsum(weight[::-1])[::-1][:side]
    place = np.arange(side)
    inner = weight[np.abs(place[:, None] - place)]
    if side == 1:
        return jnp.ones_like(inner)
    return inner.at[:, 0].set(beyond).at[:, -1].set(beyond[::-1])


def grey_levels(pixels: Image, eight_bit: str = "round") -> Float[Array, "*space c"]:
    """Return the grey levels, whole floats from 0 to 255, of a file that holds values in [0, 1].

    "round" takes the nearest, "truncate" the next lower. A value that came from a file, so is a
    whole level up to rounding, is truncated as released: through 64-bit k * (1 / 255) * 255, which
    lowers 24 of the 256 levels by one.
    """
    if eight_bit not in (known := ("round", "truncate")):
        raise InputError(f"eight_bit is {eight_bit!r}: choose one of {', '.join(known)}")
    scaled = jnp.clip(pixels, 0, 1) * 255
    nearest = jnp.round(scaled)
    if eight_bit == "round":
        return nearest
    held = jnp.asarray(TRUNCATED, scaled.dtype)[nearest.astype(jnp.int32)]
    return jnp.where(jnp.abs(scaled - nearest) < OFF, held, jnp.floor(scaled))
