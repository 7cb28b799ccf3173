"""Pointing game: whether a map's strongest pixel lies inside a reference mask."""

import jax.numpy as jnp

from salix.metrics.localisation.strengths import count_pixels, map_strengths
from salix.typing import Map, ReferenceMask, Scalar


def pointing_game(map: Map, mask: ReferenceMask) -> Scalar:
    r"""Hit of a map's strongest pixel: 1 where the maximum of $|m|$ lies inside the mask, else 0.

    Inside is where the mask is above one half. Pixels that tie for the maximum score the share of
    them inside, so that a uniform map scores the mask's share of the pixels. Range [0, 1]; its
    mean over images is the pointing game's accuracy, higher is better. Neither sign nor scale
    matters; the gradient is 0. NaN for a zero or non-finite map, a mask nowhere above one half,
    and a mask with a value outside [0, 1]. Raises `InputError` where shapes differ.

    Zhang et al. (2018), doi:10.1007/s11263-017-1059-x (there with a margin of 15 pixels).
    """
    strength, inside, defined = map_strengths(map, mask)
    strongest = strength == strength.max()
    hits = count_pixels(strongest & inside, strength) / count_pixels(strongest, strength)
    return jnp.where(defined, hits, jnp.nan)
