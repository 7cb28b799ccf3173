"""Localisation of a map against a reference mask: relevance mass, IoU and the pointing game."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from salix.hyperparameters import check_value, number, optional
from salix.metrics.inputs import as_float, as_mass, as_share
from salix.typing import Flag, InputError, Map, ReferenceMask, Scalar

THRESHOLD = optional(
    number(lambda n: 0 < n <= 1),
    remedy="give a share of the maximum, in (0, 1], or None for the area of the mask",
)


def relevance_mass(map: Map, mask: ReferenceMask) -> Scalar:
    r"""Share of a map's absolute mass inside a mask, $\sum_i |m_i| g_i / \sum_i |m_i|$.

    The mask g is in [0, 1]; an 8-bit mask is divided by 255 and a bool is 0 or 1. Range [0, 1],
    higher is better; a uniform map scores the mask's mean. NaN for a zero or non-finite map, an
    empty mask, and a mask with a value outside [0, 1]. Raises `InputError` where shapes differ.

    Relevance mass accuracy of Arras, Osman and Samek (2022), arXiv:2003.07258, of absolute values.
    """
    _check_shapes(map, mask)
    mass, share = as_mass(map), as_share(mask)
    share = share.astype(mass.dtype)
    return jnp.where(share.max() > 0, (mass * share).sum() / mass.sum(), jnp.nan)


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
    strength, inside, defined = _prepare(map, mask)
    area = _count(inside, strength)
    if threshold is None:
        selected, hits = area, _hits_of_strongest(strength, inside, area)
    else:
        strong = strength >= threshold * strength.max()
        selected, hits = _count(strong, strength), _count(strong & inside, strength)
    return jnp.where(defined, hits / (selected + area - hits), jnp.nan)


def pointing_game(map: Map, mask: ReferenceMask) -> Scalar:
    r"""Hit of a map's strongest pixel: 1 where the maximum of $|m|$ lies inside the mask, else 0.

    Inside is where the mask is above one half. Pixels that tie for the maximum score the share of
    them inside, so that a uniform map scores the mask's share of the pixels. Range [0, 1]; its
    mean over images is the pointing game's accuracy, higher is better. Neither sign nor scale
    matters; the gradient is 0. NaN for a zero or non-finite map, a mask nowhere above one half,
    and a mask with a value outside [0, 1]. Raises `InputError` where shapes differ.

    Zhang et al. (2018), doi:10.1007/s11263-017-1059-x (there with a margin of 15 pixels).
    """
    strength, inside, defined = _prepare(map, mask)
    strongest = strength == strength.max()
    hits = _count(strongest & inside, strength) / _count(strongest, strength)
    return jnp.where(defined, hits, jnp.nan)


def _check_shapes(map: Map, mask: ReferenceMask) -> None:
    if map.shape != mask.shape:
        raise InputError(f"the map has shape {map.shape} and the mask {mask.shape}: resize one")


def _prepare(
    map: Map, mask: ReferenceMask
) -> tuple[Float[Array, "*space"], Bool[Array, "*space"], Flag]:
    """Return the strengths $|m|$, the pixels inside, and whether map and mask are usable."""
    _check_shapes(map, mask)
    strength, share = lax.stop_gradient((jnp.abs(as_float(map)), as_share(mask)))
    peak, inside = strength.max(), share > 0.5
    masked = jnp.isfinite(share).all() & inside.any()
    return strength, inside, masked & (peak > 0) & jnp.isfinite(peak)


def _count(pixels: Bool[Array, "*space"], like: Float[Array, "*space"]) -> Scalar:
    return pixels.sum(dtype=like.dtype)


def _hits_of_strongest(
    strength: Float[Array, "*space"], inside: Bool[Array, "*space"], area: Scalar
) -> Scalar:
    """Count the `area` strongest pixels that lie inside, with fair shares for the last ties."""
    # XLA sorts integers faster than floats, and non-negative floats order as their bits.
    bits = jnp.int32 if strength.dtype.itemsize == 4 else jnp.int64
    order = jnp.sort(lax.bitcast_convert_type(strength.ravel(), bits))
    last = order[jnp.minimum(strength.size - area.astype(jnp.int32), strength.size - 1)]
    lowest = lax.bitcast_convert_type(last, strength.dtype)
    above, tied = strength > lowest, strength == lowest
    places = (area - _count(above, strength)) / jnp.maximum(_count(tied, strength), 1)
    return _count(above & inside, strength) + places * _count(tied & inside, strength)
