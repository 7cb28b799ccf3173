"""Maximum and mean pooling of images."""

from functools import partial, reduce
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from salix.nn.conv import active_form, resolve_padding
from salix.nn.conv_forms import MAX_POSITIONS, Margins, interleave_phases, window_slices
from salix.nn.fusion import materialise
from salix.typing import AnyArray


def max_pool(
    x: Float[AnyArray, "b h w c"],
    size: int,
    strides: int,
    *,
    padding: Literal["SAME", "VALID"] | int = "VALID",
) -> Float[Array, "b y x c"]:
    """Return the maximum of each window; a number pads all sides, with values below all others.

    The gradient goes to the first of equal values. Its form is that of `salix.nn.conv.conv_form`.
    """
    x = jnp.asarray(x)
    pads = _resolve_padding(x, size, strides, padding)
    if active_form() == "xla" or size * size > MAX_POSITIONS:
        return _reduce_windows(x, -np.inf, lax.max, size, strides, pads)
    return _max_pool(size, strides, pads, x)


def avg_pool(
    x: Float[AnyArray, "b h w c"],
    size: int,
    strides: int,
    *,
    padding: Literal["SAME", "VALID"] | int = "VALID",
    count_padding: bool = True,
) -> Float[Array, "b y x c"]:
    """Return the mean of each window, padding counted as zeros (as in PyTorch) or left out."""
    x = jnp.asarray(x)
    pads = _resolve_padding(x, size, strides, padding)
    total = _reduce_windows(x, 0.0, lax.add, size, strides, pads)
    if count_padding:
        return total / (size * size)
    rows, columns = (
        _count_inside(length, size, strides, pad)
        for length, pad in zip(x.shape[1:3], pads, strict=True)
    )
    return total / jnp.asarray(np.outer(rows, columns)[None, ..., None], x.dtype)


def _count_inside(length: int, size: int, strides: int, pad: tuple[int, int]) -> np.ndarray:
    """Return how many pixels of each window along an axis are not padding."""
    starts = np.arange(0, sum(pad) + length - size + 1, strides) - pad[0]
    return np.minimum(starts + size, length) - np.maximum(starts, 0)


def _resolve_padding(x: Array, size: int, strides: int, padding: Any) -> Margins:
    if isinstance(padding, int):
        return (padding, padding), (padding, padding)
    return resolve_padding(x, (size, size), (strides, strides), padding)


def _reduce_windows(
    x: Array, start: float, reduction: Any, size: int, strides: int, pads: Margins
) -> Array:
    sizes, steps = (1, size, size, 1), (1, strides, strides, 1)
    # A NumPy scalar: from a traced start JAX cannot recognise a sum, and has no gradient.
    initial = np.array(start, x.dtype)
    return lax.reduce_window(x, initial, reduction, sizes, steps, ((0, 0), *pads, (0, 0)))


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _max_pool(size: int, strides: int, pads: Margins, x: Array) -> Array:
    # XLA's own loop over a window takes over twice as long.
    return reduce(lax.max, _padded_slices(size, strides, pads, x))


def _padded_slices(size: int, strides: int, pads: Margins, x: Array) -> list[Array]:
    around = ((0, 0, 0), *((*pair, 0) for pair in pads), (0, 0, 0))
    padded = lax.pad(x, jnp.array(-jnp.inf, x.dtype), around)
    return window_slices(padded, (size, size), (strides, strides))


def _max_pool_forward(size: int, strides: int, pads: Margins, x: Array) -> tuple[Array, Any]:
    slices = _padded_slices(size, strides, pads, x)
    y = reduce(lax.max, slices)
    first = jnp.full(y.shape, -1, jnp.int8)  # stays where the window has a NaN
    for position, part in reversed(list(enumerate(slices))):
        first = jnp.where(part == y, jnp.int8(position), first)
    # the last residual is empty, and stands for the shape of x
    return y, (materialise(first), jnp.zeros((*x.shape[1:3], 0)))


def _max_pool_backward(
    size: int, strides: int, pads: Margins, residuals: Any, g: Array
) -> tuple[Array]:
    # XLA's own gradient, select-and-scatter, visits one pixel after another. Here the pixels of
    # each phase (row, column modulo the stride) gather from the windows that contain them.
    first, empty = residuals
    height, width = empty.shape[:2]
    g = materialise(g)  # read once per window position, and perhaps a large sum itself
    grid = [-(-(n + sum(m)) // strides) for n, m in zip((height, width), pads, strict=True)]
    zero = jnp.zeros((), g.dtype)

    def phase(row: int, column: int) -> Array:
        total = jnp.zeros((len(g), *grid, g.shape[-1]), g.dtype)
        for u in range(row, size, strides):
            for v in range(column, size, strides):
                sent = jnp.where(first == u * size + v, g, zero)
                starts = (u // strides, v // strides)
                ends = [n - m - s for n, m, s in zip(grid, g.shape[1:3], starts, strict=True)]
                around = [(s, e, 0) for s, e in zip(starts, ends, strict=True)]
                total = total + lax.pad(sent, zero, ((0, 0, 0), *around, (0, 0, 0)))
        return total

    padded = interleave_phases([[phase(i, j) for j in range(strides)] for i in range(strides)])
    (top, _), (left, _) = pads
    return (padded[:, top : top + height, left : left + width, :-1],)


_max_pool.defvjp(_max_pool_forward, _max_pool_backward)
