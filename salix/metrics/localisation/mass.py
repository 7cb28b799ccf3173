"""Relevance mass: the share of a map inside a reference mask."""

import jax.numpy as jnp

from salix.metrics.inputs import as_mass, as_share
from salix.metrics.localisation.strengths import check_shapes
from salix.typing import Map, ReferenceMask, Scalar


def relevance_mass(map: Map, mask: ReferenceMask) -> Scalar:
    r"""Share of a map's absolute mass inside a mask, $\sum_i |m_i| g_i / \sum_i |m_i|$.

    The mask g is in [0, 1]; an 8-bit mask is divided by 255 and a bool is 0 or 1. Range [0, 1],
    higher is better; a uniform map scores the mask's mean. NaN for a zero or non-finite map, an
    empty mask, and a mask with a value outside [0, 1]. Raises `InputError` where shapes differ.

    Relevance mass accuracy of Arras, Osman and Samek (2022), arXiv:2003.07258, of absolute values.
    """
    check_shapes(map, mask)
    mass, share = as_mass(map), as_share(mask)
    share = share.astype(mass.dtype)
    return jnp.where(share.max() > 0, (mass * share).sum() / mass.sum(), jnp.nan)
