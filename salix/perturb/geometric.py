r"""Geometric transforms of an image or of a map: from where each of its places is taken.

A placement is a matrix [2 3], $(A \mid t)$: the place $p$ of the result, (row, column) in pixels
from the centre, is taken from $A p + t$. All angles are in degrees, counter-clockwise as seen.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Num

from salix.typing import AnyArray

Placement = Float[AnyArray, "2 3"]
Values = Num[AnyArray, "h w *c"]  # an image or a map
NEAR = 1e-3  # pixels that a source may lie outside by rounding alone


def _quarter(rows: tuple[int, int], columns: tuple[int, int]) -> Float[np.ndarray, "2 3"]:
    return np.array([[*rows, 0], [*columns, 0]], float)


IDENTITY = _quarter((1, 0), (0, 1))
TURNS = {
    "flip_lr": _quarter((1, 0), (0, -1)),
    "flip_ud": _quarter((-1, 0), (0, 1)),
    "turn_clockwise": _quarter((0, -1), (1, 0)),
    "turn_counterclockwise": _quarter((0, 1), (-1, 0)),
}
SHIFTS = {  # (dx, dy) of what the image shows, in steps to the right and down
    "shift_left_up": (-1, -1),
    "shift_up": (0, -1),
    "shift_right_up": (1, -1),
    "shift_left": (-1, 0),
    "shift_right": (1, 0),
    "shift_left_down": (-1, 1),
    "shift_down": (0, 1),
    "shift_right_down": (1, 1),
}


def shifted(dx: float | int, dy: float | int) -> Float[np.ndarray, "2 3"]:
    """Return the placement that moves an image by (dx, dy) pixels, to the right and down."""
    return IDENTITY - np.array([[0, 0, dy], [0, 0, dx]])


def rotated(angle: float | int) -> Float[np.ndarray, "2 3"]:
    """Return the placement that rotates an image about its centre, counter-clockwise."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.array([[cos, sin, 0], [-sin, cos, 0]])


def scaled(factor: float | int) -> Float[np.ndarray, "2 3"]:
    """Return the placement that enlarges an image about its centre by a factor."""
    return IDENTITY / factor


def inverse(placements: Float[np.ndarray, "*n 2 3"]) -> Float[np.ndarray, "*n 2 3"]:
    """Return the placements that undo others."""
    back = np.linalg.inv(placements[..., :2])
    return np.concatenate([back, -back @ placements[..., 2:]], -1)


def warp(values: Values, placement: Placement, nearest: bool = False) -> Num[Array, "h w *c"]:
    """Return an image or a map moved by a placement, its edge replicated.

    Bilinear, or with `nearest` the nearest pixel, in the values' own type. Shifts by whole pixels,
    flips and, of a square, quarter turns are exact.
    """
    x = jnp.asarray(values)
    height, width = x.shape[:2]
    cells = x.reshape(height * width, *x.shape[2:])
    rows, columns = _sources(x.shape[:2], placement)

    def at(row: Array, column: Array) -> Array:
        row = jnp.clip(row, 0, height - 1).astype(jnp.int32)
        column = jnp.clip(column, 0, width - 1).astype(jnp.int32)
        return jnp.take(cells, row * width + column, 0)

    if nearest:
        return at(jnp.floor(rows + 0.5), jnp.floor(columns + 0.5))
    above, left = jnp.floor(rows), jnp.floor(columns)
    below, right = above + 1, left + 1
    thin = (height, width) + (1,) * (x.ndim - 2)
    down = (rows - above).astype(x.dtype).reshape(thin)
    across = (columns - left).astype(x.dtype).reshape(thin)
    upper = at(above, left) * (1 - across) + at(above, right) * across
    lower = at(below, left) * (1 - across) + at(below, right) * across
    return upper * (1 - down) + lower * down


def covered(
    shape: tuple[int, int], placement: Placement, beyond: float = NEAR
) -> Bool[Array, "h w"]:
    """Return where a placement takes what it shows from at most `beyond` pixels off the image.

    By default that is inside; the nearest pixel is up to half a pixel away.
    """
    inside = [
        (source >= -beyond) & (source < side - 1 + beyond)
        for source, side in zip(_sources(shape, placement), shape, strict=True)
    ]
    return inside[0] & inside[1]


def _sources(shape: tuple[int, ...], placement: Placement) -> tuple[Array, Array]:
    """Return the row and the column [h w] that each place is taken from."""
    # 32 bits hold halves exactly, so that a whole shift, a flip and a quarter turn stay whole.
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
