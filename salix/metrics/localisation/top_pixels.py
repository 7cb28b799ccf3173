"""Share of a map's strongest pixels inside a reference mask."""

import jax.numpy as jnp

from salix.hyperparameters import check_value, either, integer, number
from salix.metrics.localisation.strengths import count_pixels, hits_of_strongest, map_strengths
from salix.typing import InputError, Map, ReferenceMask, Scalar

TOP = either(
    integer(1),
    number(lambda n: 0 < n <= 1),
    remedy="give a number of pixels, 1 or more, or a share of them in (0, 1]",
)


def top_k_intersection(map: Map, mask: ReferenceMask, *, k: float | int = 0.02) -> Scalar:
    r"""Share of a map's k strongest pixels inside a mask, $|T_k \cap G| / k$.

    $T_k$ are the k pixels of largest $|m|$, and G those where the mask is above one half. A whole
    number k counts pixels; a fraction is a share of them, rounded, at least one pixel: 0.02 of
    224 x 224 are the usual 1000. Pixels that tie for the last places share them. Range [0, 1],
    higher is better; a uniform map scores the mask's share of the pixels, and a mask of fewer than
    k pixels cannot score 1. The gradient is 0. NaN for a zero or non-finite map, a mask nowhere
    above one half, and a mask with a value outside [0, 1]. Raises `InputError` where shapes differ,
    or the map has fewer than k pixels.

    Theiner, Mueller-Budack and Ewerth (2022), arXiv:2104.14995.
    """
    k = check_value("k", k, TOP)
    strength, inside, defined = map_strengths(map, mask)
    count = max(1, round(k * strength.size)) if isinstance(k, float) else k
    if count > strength.size:
        raise InputError(
            f"k is {k}, and the map has {strength.size} pixels: give fewer, or a share, k=0.02"
        )
    hits = hits_of_strongest(strength, inside, jnp.asarray(count, strength.dtype))
    return jnp.where(defined, hits / count, jnp.nan)


def relevance_rank(map: Map, mask: ReferenceMask) -> Scalar:
    r"""Share of a map's strongest pixels inside a mask, as many of them as the mask has.

    $|T_k \cap G| / k$ with $k = |G|$, G the pixels where the mask is above one half and $T_k$ the k
    pixels of largest $|m|$; those that tie for the last places share them. Range [0, 1], higher is
    better; a uniform map scores the mask's share of the pixels. The gradient is 0. NaN for a zero
    or non-finite map, a mask nowhere above one half, and a mask with a value outside [0, 1]. Raises
    `InputError` where shapes differ.

    Relevance rank accuracy of Arras, Osman and Samek (2022), arXiv:2003.07258.
    """
    strength, inside, defined = map_strengths(map, mask)
    area = count_pixels(inside, strength)
    hits = hits_of_strongest(strength, inside, area)
    return jnp.where(defined, hits / area, jnp.nan)
