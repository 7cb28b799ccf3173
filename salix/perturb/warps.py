r"""Affine warps of images and maps: flips, rotations, translations, scalings.

A placement is a matrix [2 3], $(A \mid t)$: position $p$ of the result, (row, column) in pixels
from the centre, samples the source at $A p + t$. Angles are in degrees, counter-clockwise as seen.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Num

from salix.typing import AnyArray

Placement = Float[AnyArray, "2 3"]
ImageOrMap = Num[AnyArray, "h w *c"]
NEAR = 1e-3  # pixels by which rounding may put a source position outside


def _placement(rows: tuple[int, int], columns: tuple[int, int]) -> Float[np.ndarray, "2 3"]:
    return np.array([[*rows, 0], [*columns, 0]], float)


IDENTITY = _placement((1, 0), (0, 1))
TURNS = {
    "flip_lr": _placement((1, 0), (0, -1)),
    "flip_ud": _placement((-1, 0), (0, 1)),
    "turn_clockwise": _placement((0, -1), (1, 0)),
    "turn_counterclockwise": _placement((0, 1), (-1, 0)),
}
SHIFTS = {  # (dx, dy) of the content, in steps to the right and down
    "shift_left_up": (-1, -1),
    "shift_up": (0, -1),
    "shift_right_up": (1, -1),
    "shift_left": (-1, 0),
    "shift_right": (1, 0),
    "shift_left_down": (-1, 1),
    "shift_down": (0, 1),
    "shift_right_down": (1, 1),
}


def translation(dx: float | int, dy: float | int) -> Float[np.ndarray, "2 3"]:
    """Return the placement that moves an image by (dx, dy) pixels, to the right and down."""
    return IDENTITY - np.array([[0, 0, dy], [0, 0, dx]])


def rotation(angle: float | int) -> Float[np.ndarray, "2 3"]:
    """Return the placement that rotates an image about its centre, counter-clockwise."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.array([[cos, sin, 0], [-sin, cos, 0]])


def scaling(factor: float | int) -> Float[np.ndarray, "2 3"]:
    """Return the placement that enlarges an image about its centre by a factor."""
    return IDENTITY / factor


def stack_placements(
    names: Sequence[str],
    angles: Sequence[float | int],
    scales: Sequence[float | int],
    step: int,
) -> Float[np.ndarray, "transforms 2 3"]:
    """Return the placements of named turns and shifts by `step` pixels, of angles and of scales."""
    shifts = {name: translation(dx * step, dy * step) for name, (dx, dy) in SHIFTS.items()}
    named = TURNS | shifts
    placements = [named[name] for name in names] + [rotation(angle) for angle in angles]
    return np.stack(placements + [scaling(factor) for factor in scales])


def invert(placements: Float[np.ndarray, "*n 2 3"]) -> Float[np.ndarray, "*n 2 3"]:
    """Return the inverse placements."""
    back = np.linalg.inv(placements[..., :2])
    return np.concatenate([back, -back @ placements[..., 2:]], -1)


def warp(
    values: ImageOrMap, placement: Placement, *, nearest: bool = False
) -> Num[Array, "h w *c"]:
    """Return an image or a map warped by a placement, its edge replicated.

    Bilinear, or with `nearest` the nearest pixel, in the values' own type. Whole-pixel shifts,
    flips and, for squares, quarter turns are exact.
    """
    x = jnp.asarray(values)
    height, width = x.shape[:2]
    pixels = x.reshape(height * width, *x.shape[2:])
    rows, columns = _source_positions(x.shape[:2], placement)

    def gather(row: Array, column: Array) -> Array:
        row = jnp.clip(row, 0, height - 1).astype(jnp.int32)
        column = jnp.clip(column, 0, width - 1).astype(jnp.int32)
        return jnp.take(pixels, row * width + column, 0)

    if nearest:
        return gather(jnp.floor(rows + 0.5), jnp.floor(columns + 0.5))
    above, left = jnp.floor(rows), jnp.floor(columns)
    below, right = above + 1, left + 1
    thin = (height, width) + (1,) * (x.ndim - 2)
    down = (rows - above).astype(x.dtype).reshape(thin)
    across = (columns - left).astype(x.dtype).reshape(thin)
    upper = gather(above, left) * (1 - across) + gather(above, right) * across
    lower = gather(below, left) * (1 - across) + gather(below, right) * across
    return upper * (1 - down) + lower * down


def valid_region(
    shape: tuple[int, int], placement: Placement, *, beyond: float = NEAR
) -> Bool[Array, "h w"]:
    """Return where a placement samples the source at most `beyond` pixels outside the image.

    The default means inside; with `beyond` 0.5 it is where the nearest pixel is inside.
    """
    inside = [
        (source >= -beyond) & (source < side - 1 + beyond)
        for source, side in zip(_source_positions(shape, placement), shape, strict=True)
    ]
    return inside[0] & inside[1]


def _source_positions(shape: tuple[int, ...], placement: Placement) -> tuple[Array, Array]:
    """Return the source row and column [h w] of each position."""
    # Halves are exact in 32 bits: whole shifts, flips and quarter turns map pixels to pixels.
    matrix = jnp.asarray(placement, jnp.float32)
    centre = [(side - 1) / 2 for side in shape]
    row = jnp.arange(shape[0], dtype=jnp.float32).reshape(-1, 1) - centre[0]
    column = jnp.arange(shape[1], dtype=jnp.float32).reshape(1, -1) - centre[1]
    rows, columns = (
        matrix[i, 0] * jnp.broadcast_to(row, shape)
        + matrix[i, 1] * jnp.broadcast_to(column, shape)
        + (matrix[i, 2] + centre[i])
        for i in (0, 1)
    )
    return rows, columns
