"""The ways in which a convolution can be computed, and what all of them are told."""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

Pair = tuple[int, int]
Margins = tuple[Pair, Pair]
Precision = Literal["float32", "tf32", "bfloat16", "bfloat16_dots"]
LAYOUT = ("NHWC", "HWIO", "NHWC")


@dataclass(frozen=True)
class Plan:
    """All that shapes do not say: fixed when the forward pass is traced, kept for the gradient."""

    strides: tuple[int, ...]
    pads: tuple[Pair, ...]
    groups: int
    precision: Precision
    dilation: tuple[int, ...] | None = None  # of the input: a gradient's stride


LIBRARY: dict[str, lax.Precision] = {
    "float32": lax.Precision.HIGHEST,
    "tf32": lax.Precision.HIGH,
    "bfloat16": lax.Precision.DEFAULT,
    "bfloat16_dots": lax.Precision.HIGHEST,  # for the convolutions that are not dots
}


def library(x: Array, kernel: Array, plan: Plan, layout: tuple[str, str, str] = LAYOUT) -> Array:
    """Return the convolution, of as many dimensions as the layout has, in XLA's own form."""
    kept = x.dtype
    if plan.precision == "bfloat16":
        x, kernel = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
    y = lax.conv_general_dilated(
        x,
        kernel,
        plan.strides,
        plan.pads,
        plan.dilation,
        dimension_numbers=layout,
        feature_group_count=plan.groups,
        precision=LIBRARY[plan.precision],
    )
    return y.astype(kept)


def dot(x: Array, matrix: Array, plan: Plan) -> Array:
    """Return the product of the channels of x with a matrix [i o]."""
    kept, result = x.dtype, None
    if plan.precision.startswith("bfloat16"):
        x, matrix = x.astype(jnp.bfloat16), matrix.astype(jnp.bfloat16)
        result = jnp.float32 if plan.precision == "bfloat16_dots" else None
    axes = (((x.ndim - 1,), (0,)), ((), ()))
    y = lax.dot_general(x, matrix, axes, LIBRARY[plan.precision], result)
    return y.astype(kept)


def shifted(x: Array, kernel: Array, plan: Plan) -> Array:
    """Return the convolution as a sum of matrix products, one for each place in the kernel."""
    i, o = kernel.shape[2:]
    x, at = _padded(x, plan), _places(kernel)
    h, w = _sizes(x, kernel, plan)
    if plan.strides == (1, 1) and min(h, w) >= 14 and o <= 2 * i:
        # one product for all places, its results shifted: fewer passes over a large input
        y = dot(x, kernel.transpose(2, 0, 1, 3).reshape(i, -1), plan)
        parts = [_seen(y[..., n * o : (n + 1) * o], to, (h, w), plan) for n, to in enumerate(at)]
    else:
        parts = [dot(_seen(x, to, (h, w), plan), kernel[to], plan) for to in at]
    return sum(parts[1:], parts[0])


def taps(x: Array, kernel: Array, plan: Plan) -> Array:
    """Return the convolution of each channel with its one kernel, as a sum of shifted products.

    The compiler makes one loop over the pixels of it; the CPU's library takes over ten times as
    long.
    """
    kept = x.dtype
    if plan.precision == "bfloat16":  # rounded as the library does, but summed exactly
        x, kernel = (a.astype(jnp.bfloat16).astype(kept) for a in (x, kernel))
    x = _padded(x, plan)
    sizes = _sizes(x, kernel, plan)
    parts = [_seen(x, to, sizes, plan) * kernel[to][None, None] for to in _places(kernel)]
    y = sum(parts[1:], parts[0])
    return y.astype(jnp.bfloat16).astype(kept) if plan.precision == "bfloat16" else y


def _padded(x: Array, plan: Plan) -> Array:
    spread = plan.dilation or (1, 1)
    margins = [(*pair, d - 1) for pair, d in zip(plan.pads, spread, strict=True)]
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *margins, (0, 0, 0)))


def _places(kernel: Array) -> list[Pair]:
    return [(u, v) for u in range(kernel.shape[0]) for v in range(kernel.shape[1])]


def _sizes(padded: Array, kernel: Array, plan: Plan) -> Pair:
    """Return the rows and columns of the output."""
    (h, w), (kh, kw) = padded.shape[1:3], kernel.shape[:2]
    return (h - kh) // plan.strides[0] + 1, (w - kw) // plan.strides[1] + 1


def _seen(y: Array, place: Pair, sizes: Pair, plan: Plan) -> Array:
    """Return the pixels that a place of the kernel meets."""
    (u, v), (down, along) = place, plan.strides
    h, w = ((n - 1) * s + 1 for n, s in zip(sizes, plan.strides, strict=True))
    return y[:, u : u + h : down, v : v + w : along]


def put(y: Array, start: Pair, strides: tuple[int, ...], sizes: tuple[int, ...]) -> Array:
    """Place the pixels of y at every stride-th one of an empty image of other sizes."""
    if start == (0, 0) and strides == (1, 1):
        return y
    ends = [
        size - low - (n - 1) * s - 1
        for size, low, n, s in zip(sizes, start, y.shape[1:3], strides, strict=True)
    ]
    middle = [(low, high, s - 1) for low, high, s in zip(start, ends, strides, strict=True)]
    return lax.pad(y, jnp.zeros((), y.dtype), ((0, 0, 0), *middle, (0, 0, 0)))
