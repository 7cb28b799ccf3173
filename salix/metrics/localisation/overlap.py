"""Intersection over union of a map's strongest pixels and a reference mask."""

import jax.numpy as jnp

from salix.hyperparameters import check_value, number, optional
from salix.metrics.localisation.strengths import (
    count_pixels,
    hits_of_strongest,
    map_strengths,
)
from salix.typing import Map, ReferenceMask, Scalar

THRESHOLD = optional(
    number(lambda n: 0 < n <= 1),
    remedy="give a share of the maximum, in (0, 1], or None for the area of the mask",
)


def iou(map: Map, mask: ReferenceMask, *, threshold: float | None = 0.5) -> Scalar:
    r"""Intersection over union of a map's strongest pixels and a mask, $|B \cap G| / |B \cup G|$.

    $B = \{i: |m_i| \ge t \max |m|\}$ with t = `threshold`, and G the pixels where the mask is
    above one half. With `threshold` None B is the $|G|$ strongest pixels; pixels that tie for the
    last places share them, so that the hits are those expected of random ties. Range [0, 1],
    higher is better; a uniform map scores the mask's share of the pixels, or with None $s/(2 - s)$
    of that share s. Neither sign nor scale matters; both are steps, so the gradient is 0. NaN for
    a zero or non-finite map, a mask nowhere above one half, and a mask with a value outside
    [0, 1]. Raises `InputError` where shapes differ, or for a threshold outside (0, 1].

    Everingham et al. (2010), doi:10.1007/s11263-009-0275-4, of boxes. The $|G|$ strongest pixels
    are those of relevance rank accuracy, Arras, Osman and Samek (2022), arXiv:2003.07258, whose
    value r is $2u/(1 + u)$ for an intersection over union u.
    """
    threshold = check_value("threshold", threshold, THRESHOLD)
    strength, inside, defined = map_strengths(map, mask)
    area = count_pixels(inside, strength)
    if threshold is None:
        selected, hits = area, hits_of_strongest(strength, inside, area)
    else:
        strong = strength >= threshold * strength.max()
        selected, hits = count_pixels(strong, strength), count_pixels(strong & inside, strength)
    return jnp.where(defined, hits / (selected + area - hits), jnp.nan)
