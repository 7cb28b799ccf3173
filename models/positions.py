"""Positions of patches on a grid of another size, by PyTorch's bicubic interpolation."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from salix.typing import AnyArray


def _cubic(t: np.ndarray, a: float) -> np.ndarray:
    """Return the weights of cubic convolution at distances t (Keys, 1981, eq. 4)."""
    t = np.abs(t)
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * (t**3 - 5 * t**2 + 8 * t - 4)
    return np.where(t <= 1, near, np.where(t < 2, far, 0))


def _weights(source: int, length: int) -> np.ndarray:
    """Return the matrix [length source] that resizes one axis, edges repeated."""
    centres = (np.arange(length) + 0.5) * source / length - 0.5
    first = np.floor(centres).astype(int)
    matrix = np.zeros((length, source))
    for offset in range(-1, 3):
        column = np.clip(first + offset, 0, source - 1)
        np.add.at(matrix, (np.arange(length), column), _cubic(centres - first - offset, -0.75))
    return matrix


def _smooth_weights(source: int, length: int) -> np.ndarray:
    """Return the matrix [length source] that resizes one axis with a filter as wide as a step."""
    ratio = source / length
    centres = (np.arange(length)[:, None] + 0.5) * ratio
    step = max(ratio, 1)
    matrix = _cubic((np.arange(source)[None] + 0.5 - centres) / step, -0.5)
    return matrix / matrix.sum(1, keepdims=True)


def resize_positions(
    positions: Float[AnyArray, "n w"],
    source: tuple[int, int],
    grid: tuple[int, int],
    *,
    antialias: bool = False,
) -> Float[Array, "m w"]:
    """Return positions of patches, row by row, for another grid (height, width).

    As `torch.nn.functional.interpolate` in mode "bicubic" without alignment of corners, whose
    constant is -0.75, and -0.5 with antialiasing; of the same grid they are returned as they are.
    """
    positions = jnp.asarray(positions)
    if source == grid:
        return positions
    weights = _smooth_weights if antialias else _weights
    rows, columns = (
        jnp.asarray(weights(*pair), positions.dtype) for pair in zip(source, grid, strict=True)
    )
    old = positions.reshape(*source, -1)
    new = jnp.einsum("ys,xt,stw->yxw", rows, columns, old, precision="highest")
    return new.reshape(grid[0] * grid[1], -1)
