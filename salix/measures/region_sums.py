"""Sums over the segments of an image, their bounding boxes, and block means on a small grid."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Integer

BLOCK = 2048  # pixels of one product
EXACT = lax.Precision.HIGHEST


def segment_sums(
    values: Float[Array, "h w k"], segments: Integer[Array, "levels h w"], count: int
) -> Float[Array, "count k"]:
    """Sum the values of the pixels of each segment, labelled from 1; 0 belongs to none.

    A scatter on the CPU. Accelerators add scattered values in any order, so that the last bits
    would change from run to run: there it is a product with the segments' masks, in blocks.
    """
    flat = values.reshape(-1, values.shape[-1])
    labels = segments.reshape(len(segments), -1).astype(jnp.int32)

    def scatter(flat: Array, labels: Array) -> Array:
        total = jnp.zeros((count + 1, flat.shape[-1]), flat.dtype)
        for level in labels:
            total += jax.ops.segment_sum(flat, level, count + 1)
        return total[1:]

    def multiply(flat: Array, labels: Array) -> Array:
        rest = -len(flat) % BLOCK
        pixels = jnp.pad(flat, ((0, rest), (0, 0))).reshape(-1, BLOCK, flat.shape[-1])
        padded = jnp.pad(labels, ((0, 0), (0, rest))).reshape(len(labels), -1, BLOCK)
        names = jnp.arange(1, count + 1, dtype=jnp.int32)[None, :, None]

        def add(total: Array, block: tuple[Array, Array]) -> tuple[Array, None]:
            inside = (block[1][:, None] == names).any(0)  # [count BLOCK]
            return total + jnp.matmul(inside.astype(flat.dtype), block[0], precision=EXACT), None

        total = jnp.zeros((count, flat.shape[-1]), flat.dtype)
        return lax.scan(add, total, (pixels, padded.swapaxes(0, 1)))[0]

    return lax.platform_dependent(flat, labels, cpu=scatter, default=multiply)


def segment_boxes(segments: Integer[Array, "levels h w"], count: int) -> Int[Array, "count 4"]:
    """Return top, left, bottom and right of each segment in pixels, ends excluded.

    Zeros where there is no segment of that label.
    """
    height, width = segments.shape[1:]
    labels = segments.reshape(len(segments), -1).astype(jnp.int32)
    rows, columns = (grid.reshape(-1) for grid in np.indices((height, width), np.int32))

    def least(values: np.ndarray, limit: int) -> Array:
        each = [jax.ops.segment_min(jnp.asarray(values), level, count + 1) for level in labels]
        return jnp.minimum(jnp.stack(each).min(0)[1:], limit)

    first = [least(rows, height), least(columns, width)]
    last = [height - least(height - 1 - rows, height), width - least(width - 1 - columns, width)]
    boxes = jnp.stack([*first, *last], -1)
    return jnp.where((boxes[:, 2:] > boxes[:, :2]).all(-1, keepdims=True), boxes, 0)


def block_means(map: Float[Array, "h w"], side: int) -> Float[Array, "side side"]:
    """Return the means of a map over a grid of side x side equal blocks of the frame.

    A pixel on the border of two blocks counts in both by its share, so that the mean stays.
    """
    rows, columns = (jnp.asarray(_shares(n, side), map.dtype) for n in map.shape)
    wide = jnp.matmul(map, columns.T, precision=EXACT)
    return jnp.matmul(rows, wide, precision=EXACT)


def nearest_labels(segments: Integer[Array, "levels h w"], side: int) -> Array:
    """Return the labels at the centres of a grid of side x side equal blocks of the frame."""
    rows, columns = (
        ((np.arange(side) + 0.5) * n / side).astype(np.int32) for n in segments.shape[1:]
    )
    return segments[:, rows][:, :, columns]


def _shares(length: int, side: int) -> np.ndarray:
    """Return which share of each block every pixel of one axis covers, [side length]."""
    edges = np.arange(side + 1) * length / side
    low = np.maximum(edges[:-1, None], np.arange(length))
    high = np.minimum(edges[1:, None], np.arange(length) + 1)
    return np.clip(high - low, 0, None) * side / length
