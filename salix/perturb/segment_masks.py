"""Removal of segments from an image."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Integer

from salix.precision import widen
from salix.typing import AnyArray, Image

SegmentLabels = Integer[AnyArray, "*space"]


def apply_mask(
    image: Image,
    fill: Image,
    labels: SegmentLabels,
    present: Bool[AnyArray, " segments"] | Float[AnyArray, " segments"],
) -> Array:
    """Return `image` where a segment is present, and `fill` elsewhere.

    `present` has a flag for each segment, or a share in [0, 1] that mixes the two linearly.
    """
    image, fill = jnp.asarray(image), jnp.asarray(fill)
    shares = jnp.asarray(present)[jnp.asarray(labels)][..., None]
    if shares.dtype == bool:
        return jnp.where(shares, image, fill)
    wide = widen(image)
    shares = shares.astype(wide.dtype)
    return (shares * wide + (1 - shares) * widen(fill)).astype(image.dtype)
