"""Segment statistics and masked images: means, sizes, and removal of segments."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Integer, Num

from salix.precision import widen
from salix.typing import AnyArray, Image

SegmentLabels = Integer[AnyArray, "*space"]


def segment_means(
    map: Num[AnyArray, "*space"], labels: SegmentLabels, count: int
) -> Float[Array, " segments"]:
    """Return the mean of a map over each of `count` segments; NaN for one without a pixel."""
    values = jnp.asarray(map)
    exact = jnp.issubdtype(values.dtype, jnp.floating)
    values = widen(values) if exact else values.astype(jnp.float32)
    sums = jax.ops.segment_sum(values.ravel(), jnp.ravel(labels), count)
    sizes = segment_sizes(labels, count).astype(values.dtype)
    return jnp.where(sizes > 0, sums / jnp.maximum(sizes, 1), jnp.nan)


def segment_sizes(labels: SegmentLabels, count: int) -> Integer[Array, " segments"]:
    """Return the number of pixels of each of `count` segments."""
    labels = jnp.ravel(labels)
    return jax.ops.segment_sum(jnp.ones(labels.shape, jnp.int32), labels, count)


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
