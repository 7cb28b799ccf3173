"""Whether a map's strongest cells lie inside a mask: as an area, and as a point."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from salix.metrics.arrays import Mask, as_float, as_share
from salix.typing import InputError, Map, Scalar


def iou(map: Map, mask: Mask, threshold: float | None = 0.5) -> Scalar:
    r"""Intersection over union of a map's strongest cells and a mask, $|B \cap G| / |B \cup G|$.

    $B = \{i: |m_i| \ge t \max |m|\}$ with t = `threshold`, and G the cells where the mask is above
    one half. With `threshold` None B is the $|G|$ strongest cells; cells that tie for the last
    places share them, so that the hits are those expected of random ties. Range [0, 1], higher is
    better; a map without preference scores the mask's share of the cells, or with None $s/(2 - s)$
    of that share s. Neither sign nor scale matters; both are steps, so the gradient is 0. NaN for
    a zero or non-finite map, a mask nowhere above one half, and a mask with a value outside
    [0, 1]. Raises `InputError` where shapes differ, or for a threshold outside (0, 1].

    Everingham et al. (2010), doi:10.1007/s11263-009-0275-4, of boxes. The $|G|$ strongest cells
    are those of relevance rank accuracy, Arras, Osman and Samek (2022), arXiv:2003.07258, whose
    value r is $2u/(1 + u)$ for an intersection over union u.
    """
    if threshold is not None and not 0 < threshold <= 1:
        raise InputError(f"threshold is {threshold}: give a share of the maximum, in (0, 1]")
    strength, inside, defined = _prepare(map, mask)
    area = _count(inside, strength)
    if threshold is None:
        kept, hits = area, _hits(strength, inside, area)
    else:
        strong = strength >= threshold * strength.max()
        kept, hits = _count(strong, strength), _count(strong & inside, strength)
    return jnp.where(defined, hits / (kept + area - hits), jnp.nan)


def pointing_game(map: Map, mask: Mask) -> Scalar:
    r"""Hit of a map's strongest cell: 1 where the maximum of $|m|$ lies inside the mask, else 0.

    Inside is where the mask is above one half. Where cells tie for the maximum it is the share of
    them inside, so that a map without preference scores the mask's share of the cells. Range
    [0, 1]; its mean over images is the pointing game's accuracy, higher is better. Neither sign
    nor scale matters; the gradient is 0. NaN for a zero or non-finite map, a mask nowhere above
    one half, and a mask with a value outside [0, 1]. Raises `InputError` where shapes differ.

    Zhang et al. (2018), doi:10.1007/s11263-017-1059-x (there with a margin of 15 pixels).
    """
    strength, inside, defined = _prepare(map, mask)
    strongest = strength == strength.max()
    hits = _count(strongest & inside, strength) / _count(strongest, strength)
    return jnp.where(defined, hits, jnp.nan)


def _prepare(
    map: Map, mask: Mask
) -> tuple[Float[Array, "*space"], Bool[Array, "*space"], Bool[Array, ""]]:
    """Return the strengths $|m|$, the cells inside, and whether map and mask define anything."""
    if map.shape != mask.shape:
        raise InputError(f"the map has shape {map.shape} and the mask {mask.shape}: resize one")
    strength, share = lax.stop_gradient((jnp.abs(as_float(map)), as_share(mask)))
    peak, inside = strength.max(), share > 0.5
    masked = jnp.isfinite(share).all() & inside.any()
    return strength, inside, masked & (peak > 0) & jnp.isfinite(peak)


def _count(cells: Bool[Array, "*space"], like: Float[Array, "*space"]) -> Scalar:
    return cells.sum(dtype=like.dtype)


def _hits(strength: Float[Array, "*space"], inside: Bool[Array, "*space"], area: Scalar) -> Scalar:
    """Count the `area` strongest cells that lie inside, with fair shares for the last ties."""
    # XLA sorts integers faster than floats, and floats that are not negative order as their bits.
    bits = jnp.int32 if strength.dtype.itemsize == 4 else jnp.int64
    order = jnp.sort(lax.bitcast_convert_type(strength.ravel(), bits))
    last = order[jnp.minimum(strength.size - area.astype(jnp.int32), strength.size - 1)]
    least = lax.bitcast_convert_type(last, strength.dtype)
    above, tied = strength > least, strength == least
    places = (area - _count(above, strength)) / jnp.maximum(_count(tied, strength), 1)
    return _count(above & inside, strength) + places * _count(tied & inside, strength)
