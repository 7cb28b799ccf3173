"""The share of a map's mass inside a mask."""

import jax.numpy as jnp

from salix.metrics.arrays import Mask, as_mass, as_share
from salix.typing import InputError, Map, Scalar


def relevance_mass(map: Map, mask: Mask) -> Scalar:
    r"""Share of a map's absolute mass inside a mask, $\sum_i |m_i| g_i / \sum_i |m_i|$.

    The mask g is in [0, 1]; an 8-bit mask is divided by 255 and a bool is 0 or 1. Range [0, 1];
    a map without preference scores the mask's own mean. NaN for a zero or non-finite map, an
    empty mask, and a mask with a value outside [0, 1]. Raises `InputError` where shapes differ.

    Relevance mass accuracy of Arras, Osman and Samek (2022), arXiv:2003.07258, taken of absolute
    values.
    """
    if map.shape != mask.shape:
        raise InputError(f"the map has shape {map.shape} and the mask {mask.shape}: resize one")
    mass, share = as_mass(map), as_share(mask)
    share = share.astype(mass.dtype)
    return jnp.where(share.max() > 0, (mass * share).sum() / mass.sum(), jnp.nan)
