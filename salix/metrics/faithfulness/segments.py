"""Segments of an image as the features of a metric: their sums, their order, their removal."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, Num

from salix.hyperparameters import check_value, integer
from salix.metrics.faithfulness.ranking import enlarge_linearly, order_pixels, rank_pixels
from salix.perturb.partition import PARTITION, Partition
from salix.precision import widen
from salix.typing import GridMap, Image, PRNGKey

PixelLabels = Int[Array, "*space"]
SegmentSums = Float[Array, " n"]


def label_segments(image: Image, partition: Partition) -> tuple[PixelLabels, int]:
    """Return the segments of an image, and the greatest number of them.

    Raises `InputError` for what is no partition, or one that does not fit the image.
    """
    partition = check_value("partition", partition, PARTITION)
    return partition(image), partition.count(jnp.shape(image))


def segment_sums(values: Num[Array, "*space"], labels: PixelLabels, count: int) -> Num[Array, " n"]:
    """Return the sum of the pixels of each segment, 0 for one without pixels."""
    return jax.ops.segment_sum(values.ravel(), labels.ravel(), count)


def attribute_segments(map: GridMap, labels: PixelLabels, count: int) -> SegmentSums:
    """Return the sum of a map, enlarged to the image, in each segment.

    An attribution with the image's channels is summed over them.
    """
    is_attribution = map.ndim == labels.ndim + 1
    pixels = widen(map).sum(-1) if is_attribution else map
    return segment_sums(enlarge_linearly(pixels, labels.shape), labels, count)


def order_segments(
    map: GridMap, labels: PixelLabels, count: int, order: str, key: PRNGKey
) -> tuple[Int[Array, " n"], Int[Array, " n"]]:
    """Return the place of each segment in the order of its mean attribution, and its pixels.

    Segments of equal means follow each other evenly spread; those without pixels are last.
    """
    sizes = segment_sums(jnp.ones(labels.shape, jnp.int32), labels, count)
    sums = attribute_segments(map, labels, count)
    means = sums / jnp.maximum(sizes, 1).astype(sums.dtype)
    ranks = rank_pixels(means, (count,), key, order)
    return order_pixels(jnp.where(sizes > 0, ranks, jnp.iinfo(jnp.int32).min)), sizes


def scan_batches(function: Callable[[Any], Any], inputs: Any, chunk: int) -> Any:
    """Map a function over leading axes in a scan, `chunk` of them in one batch."""
    check_value("chunk", chunk, integer(1))
    length = math.prod(jax.tree.leaves(inputs)[0].shape[:1])
    return lax.map(function, inputs, batch_size=None if chunk == 1 else min(chunk, length))
