"""Pools of images: the maximum and the mean of windows."""

from functools import partial, reduce
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from salix.nn.conv import Margins, forms, margins
from salix.nn.conv_forms import PLACES, interleave, windows
from salix.nn.fusion import once
from salix.typing import AnyArray


def max_pool(
    x: Float[AnyArray, "b h w c"],
    size: int,
    strides: int,
    padding: Literal["SAME", "VALID"] | int = "VALID",
) -> Float[Array, "b y x c"]:
    """Return the greatest value of each window; a number pads all sides, and is never greatest.

    The gradient goes to the first of equal values. Its form is that of `salix.nn.conv.forms`.
    """
    x = jnp.asarray(x)
    pads = _margins(x, size, strides, padding)
    if forms()[0] == "xla" or size * size > PLACES:
        return _window(x, -np.inf, lax.max, size, strides, pads)
    return _explicit(size, strides, pads, x)


def _margins(x: Array, size: int, strides: int, padding: Any) -> Margins:
    if isinstance(padding, int):
        return (padding, padding), (padding, padding)
    return margins(x, (size, size), (strides, strides), padding)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _explicit(size: int, strides: int, pads: Margins, x: Array) -> Array:
    return _greatest(_seen(size, strides, pads, x))


def _greatest(seen: list[Array]) -> Array:
    return reduce(lax.max, seen)  # XLA's own loop over a window takes over twice as long


def _seen(size: int, strides: int, pads: Margins, x: Array) -> list[Array]:
    around = ((0, 0, 0), *((*pair, 0) for pair in pads), (0, 0, 0))
    wide = lax.pad(x, jnp.array(-jnp.inf, x.dtype), around)
    return windows(wide, (size, size), (strides, strides))


def _start(size: int, strides: int, pads: Margins, x: Array) -> tuple[Array, Any]:
    seen = _seen(size, strides, pads, x)
    y = _greatest(seen)
    first = jnp.full(y.shape, -1, jnp.int8)  # stays where the window holds a NaN
    for at, part in reversed(list(enumerate(seen))):
        first = jnp.where(part == y, jnp.int8(at), first)
    return y, (once(first), jnp.zeros((*x.shape[1:3], 0)))  # an empty array, for the shape it has


def _finish(size: int, strides: int, pads: Margins, kept: Any, g: Array) -> tuple[Array]:
    # XLA's own, select-and-scatter, runs on one pixel after another. Here the pixels of each
    # phase (row, column modulo the stride) gather from the windows that hold them.
    first, like = kept
    g = once(g)  # read for each place of the window, and perhaps a sum of much
    cells = [-(-(n + sum(m)) // strides) for n, m in zip(like.shape[:2], pads, strict=True)]
    zero = jnp.zeros((), g.dtype)

    def phase(row: int, column: int) -> Array:
        total = jnp.zeros((len(g), *cells, g.shape[-1]), g.dtype)
        for u in range(row, size, strides):
            for v in range(column, size, strides):
                sent = jnp.where(first == u * size + v, g, zero)
                starts = (u // strides, v // strides)
                ends = [n - m - s for n, m, s in zip(cells, g.shape[1:3], starts, strict=True)]
                around = [(s, e, 0) for s, e in zip(starts, ends, strict=True)]
                total = total + lax.pad(sent, zero, ((0, 0, 0), *around, (0, 0, 0)))
        return total

    wide = interleave([[phase(i, j) for j in range(strides)] for i in range(strides)])
    (top, _), (left, _) = pads
    return (wide[:, top : top + like.shape[0], left : left + like.shape[1], :-1],)


_explicit.defvjp(_start, _finish)


def avg_pool(
    x: Float[AnyArray, "b h w c"],
    size: int,
    strides: int,
    padding: Literal["SAME", "VALID"] | int = "VALID",
    count_padding: bool = True,
) -> Float[Array, "b y x c"]:
    """Return the mean of each window, padding counted as zeros (as in PyTorch) or not at all."""
    x = jnp.asarray(x)
    pads = _margins(x, size, strides, padding)
    total = _window(x, 0.0, lax.add, size, strides, pads)
    if count_padding:
        return total / (size * size)
    ones = jnp.ones((1, *x.shape[1:3], 1), x.dtype)
    return total / _window(ones, 0.0, lax.add, size, strides, pads)


def _window(x: Array, start: float, by: Any, size: int, strides: int, pads: Margins) -> Array:
    sizes, steps = (1, size, size, 1), (1, strides, strides, 1)
    # a NumPy scalar: with a traced start JAX cannot tell a sum, and has no gradient
    first = np.array(start, x.dtype)
    return lax.reduce_window(x, first, by, sizes, steps, ((0, 0), *pads, (0, 0)))
