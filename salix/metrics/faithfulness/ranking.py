"""Order of an image's pixels by a map: ranks, and the places of pixels in it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from salix.hyperparameters import Hyperparameter, check_value, choice, number, several
from salix.metrics.inputs import as_float
from salix.typing import Flag, GridMap, InputError, Map, PRNGKey

ORDERS = ("most", "least", "random")
GOLDEN = 2654435769  # 2^32 over the golden ratio: its multiples fill the circle evenly


def _plain_rising(value: Any) -> tuple[float, ...]:
    shares = several(number(lambda n: 0 <= n <= 1), remedy="", low=2).plain(value)
    if any(b <= a for a, b in pairwise(shares)):
        raise ValueError
    return shares


RISING = Hyperparameter(_plain_rising, "give two or more, rising, in [0, 1]")
Ranks = Int[Array, "*space"]  # greatest for the first pixel


def enlarge_linearly(map: GridMap, space: tuple[int, ...]) -> Float[Array, "*space"]:
    """Return a map as floats with the pixels of an image: one of a smaller grid is enlarged.

    Raises `InputError` for a map that has other axes than the image or is larger.
    """
    fits = len(map.shape) == len(space) and all(
        m <= s for m, s in zip(map.shape, space, strict=True)
    )
    if not fits:
        raise InputError(f"a map of shape {map.shape} does not fit an image of {space} pixels")
    x = as_float(map)
    return x if x.shape == space else jax.image.resize(x, space, "linear")


def rank_pixels(map: GridMap, space: tuple[int, ...], key: PRNGKey, order: str) -> Ranks:
    """Return whole numbers that are greatest where a map, enlarged to the image, comes first.

    `order` is "most" or "least" salient first, or "random". Raises `InputError` for another order
    and for a map that has other axes than the image or is larger.
    """
    check_value("order", order, choice(ORDERS))
    x = enlarge_linearly(map, space)
    if order == "random":
        return jax.random.bits(key, space, jnp.uint32).astype(jnp.int32)
    x = (x if order == "most" else -x).astype(jnp.float32)
    # Floats order as their bits do, negative ones backwards; XLA sorts integers faster. A zero has
    # two patterns of bits, of which the negative one is left out.
    bits = lax.bitcast_convert_type(jnp.where(x == 0, 0, x), jnp.int32)
    return jnp.where(bits < 0, bits ^ jnp.int32(0x7FFFFFFF), bits)


def order_pixels(ranks: Ranks) -> Int[Array, "*space"]:
    """Return the place of each pixel in the order of its rank, 0 for the greatest, each once.

    Pixels of equal rank follow each other as the fractional parts of their index times the golden
    ratio do, so that any number of them is spread evenly over the image.
    """
    index = lax.iota(jnp.int32, ranks.size)
    spread = index.astype(jnp.uint32) * jnp.uint32(GOLDEN)  # all different
    _, _, first_to_last = lax.sort((~ranks.ravel(), spread, index), num_keys=2)
    return jnp.zeros_like(index).at[first_to_last].set(index).reshape(ranks.shape)


def is_ranked(map: Map) -> Flag:
    """Return whether a map ranks pixels: it is finite, and not constant."""
    x = as_float(map)
    return jnp.isfinite(x).all() & (x.max() > x.min())


def pixel_counts(fractions: Sequence[float | int], pixels: int) -> Int[np.ndarray, " steps"]:
    """Return how many pixels each fraction amounts to.

    Raises `InputError` for fractions that are not two or more, rising, in [0, 1].
    """
    q = np.array(check_value("fractions", fractions, RISING))
    return np.rint(q * pixels).astype(np.int32)
