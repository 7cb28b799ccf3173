"""Convolution implementations and their shared plan."""

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from salix.precision import LAX_PRECISION, Precision

Pair = tuple[int, int]
Margins = tuple[Pair, Pair]
LAYOUT = ("NHWC", "HWIO", "NHWC")
MAX_POSITIONS = 49  # kernel positions that are written out one by one
MAX_TERMS, FEW_OUTPUTS = 36, 32  # of a layer that is written out; half of them at stride 2
BLOCK, LARGE = 16, 64  # rows of a block, and of images that are worth it
SMALL_GRID = 256  # pixels with padding: grids of 14x14 and less
LARGE_MATRIX = 2**16  # elements: 256 to 256 channels


@dataclass(frozen=True)
class Plan:
    """Static parameters of a convolution, fixed by the forward pass and reused by the gradient."""

    strides: tuple[int, ...]
    pads: tuple[Pair, ...]
    groups: int
    precision: Precision
    dilation: tuple[int, ...] | None = None  # of the input: a gradient's stride

    def exact(self) -> "Plan":
        """Return the plan without bfloat16 products, whose rounding is meant for maps alone."""
        return replace(self, precision="float32") if self.precision == "bfloat16_dots" else self


def xla_conv(x: Array, kernel: Array, plan: Plan, layout: tuple[str, str, str] = LAYOUT) -> Array:
    """Return the convolution as one XLA operation, in as many dimensions as the layout has."""
    dtype = x.dtype
    if plan.precision == "bfloat16":
        x, kernel = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
    y = lax.conv_general_dilated(
        x,
        kernel,
        plan.strides,
        plan.pads,
        dimension_numbers=layout,
        feature_group_count=plan.groups,
        precision=LAX_PRECISION[plan.precision],
    )
    return y.astype(dtype)


def is_pointwise(plan: Plan, kernel: Array) -> bool:
    """Return whether a convolution is a matrix product at each pixel."""
    return kernel.shape[:2] == (1, 1) and plan.groups == 1 and plan.pads == ((0, 0), (0, 0))


def is_depthwise(plan: Plan, kernel: Any) -> bool:
    """Return whether each channel has its own kernel, small enough to be written out."""
    h, w, i, o = kernel.shape
    return i == 1 and o == plan.groups and h * w <= MAX_POSITIONS


def suits_written_terms(plan: Plan, x: Array, kernel: Array) -> bool:
    """Return whether a convolution of large images sums few terms, as a first layer of RGB."""
    (h, w, i, o), stride = kernel.shape, max(plan.strides)
    few = w > 1 and h * w * i <= MAX_TERMS and o * stride <= FEW_OUTPUTS and plan.groups == 1
    exact = jnp.finfo(x.dtype).bits >= 32  # sums are in the type of x
    height = (x.shape[1] + sum(plan.pads[0]) - h) // plan.strides[0] + 1
    return few and exact and stride <= 2 and x.shape[1] >= LARGE and height >= BLOCK


def suits_bfloat16_dots(shape: tuple[int, ...]) -> bool:
    """Return whether a kernel shape [kh kw i o] is faster as bfloat16 matrix products."""
    return shape[0] * shape[1] <= 9 and shape[2] >= 16


def uses_dots(plan: Plan, x: Array, kernel: Array) -> bool:
    """Return whether a convolution is a sum of matrix products, one per kernel position.

    True in "bfloat16_dots", and for images smaller than the kernel: XLA would exchange the two and
    slide the images over the weights, a hundred times slower.
    """
    small = x.shape[1] * x.shape[2] < kernel.shape[0] * kernel.shape[1] <= MAX_POSITIONS
    rounded = plan.precision == "bfloat16_dots" and suits_bfloat16_dots(kernel.shape)
    return plan.groups == 1 and (small or rounded)


def explicit_conv(plan: Plan, x: Array, kernel: Array) -> Array:
    """Return the convolution by the implementation that suits its kernel."""
    if is_pointwise(plan, kernel):
        down, across = plan.strides
        return dot(x[:, ::down, ::across], kernel[0, 0], plan)
    if uses_dots(plan, x, kernel):
        return shifted_dots(x, kernel, plan)
    if suits_written_terms(plan, x, kernel):
        return written_conv(x, kernel, plan)
    return (depthwise_conv if is_depthwise(plan, kernel) else xla_conv)(x, kernel, plan)


def dot(x: Array, matrix: Array, plan: Plan, axis: int = 0, dtype: Any = None) -> Array:
    """Return the channels of x times a matrix [i o], contracted over the matrix's `axis`.

    The result has type `dtype`, by default that of x.
    """
    dtype, result = dtype or x.dtype, None
    if plan.precision.startswith("bfloat16"):
        x, matrix = x.astype(jnp.bfloat16), matrix.astype(jnp.bfloat16)
        result = jnp.float32 if plan.precision == "bfloat16_dots" else None
    axes = (((x.ndim - 1,), (axis,)), ((), ()))
    y = lax.dot_general(x, matrix, axes, LAX_PRECISION[plan.precision], result)
    return y.astype(dtype)


def shifted_dots(x: Array, kernel: Array, plan: Plan, axis: int = 0) -> Array:
    """Return the convolution as a sum of shifted matrix products, for kernels [kh kw i o].

    `axis` 1 takes the kernel of the forward pass, [kh kw o i], rotates it by 180 degrees and gives
    the gradient. There are three ways, by cost:

    - small grid, large matrices: one product per kernel position, which leaves the matrices where
      they are;
    - fewer outputs than inputs: each pixel times all positions at once, then shifted sums;
    - otherwise: the rows of the kernel side by side as channels, then the same for its columns.
    """
    (kh, kw), dtype, stride = kernel.shape[:2], x.dtype, plan.strides
    if plan.precision == "bfloat16_dots":  # rounded before it is copied
        x = x.astype(jnp.bfloat16)
    x = _pad(x, plan)
    if x.shape[1] * x.shape[2] <= SMALL_GRID and kernel[0, 0].size >= LARGE_MATRIX:
        matrices = list(kernel.reshape(-1, *kernel.shape[2:]))[:: -1 if axis else 1]
        pairs = zip(window_slices(x, (kh, kw), stride), matrices, strict=True)
        return _sum([dot(part, matrix, plan, axis, dtype) for part, matrix in pairs])
    kernel = kernel[::-1, ::-1].swapaxes(2, 3) if axis else kernel
    i, o = kernel.shape[2:]
    if o >= i or stride != (1, 1):
        x = _join_channels(window_slices(x, (kh, 1), (stride[0], 1)))
        kh, kernel = 1, kernel.transpose(1, 0, 2, 3).reshape(1, kw, kh * i, o)
    matrices = kernel.reshape(-1, *kernel.shape[2:])
    if stride[1] > 1:  # one product for all columns would also compute the skipped pixels
        parts = window_slices(x, (kh, kw), (1, stride[1]))
        return _sum([dot(part, matrices[n], plan, dtype=dtype) for n, part in enumerate(parts)])
    y = dot(x, matrices.transpose(1, 0, 2).reshape(x.shape[3], -1), plan, dtype=dtype)
    parts = window_slices(y, (kh, kw), (1, 1))
    return _sum([part[..., n * o : (n + 1) * o] for n, part in enumerate(parts)])


def written_conv(x: Array, kernel: Array, plan: Plan) -> Array:
    """Return the convolution as a written-out sum, one input channel at one position a term.

    For 3 to 8 channels it takes half the time of the library. Blocks of rows are looped over: the
    compiler would else compute the sum anew for each window of a pool that follows.
    """
    dtype, (kh, kw, i, _) = x.dtype, kernel.shape
    x, kernel = _rounded(plan, dtype, x, kernel)
    x = _pad(x, plan)
    (down, across), rows = plan.strides, (BLOCK - 1) * plan.strides[0] + kh
    height, width = (x.shape[1] - kh) // down + 1, (x.shape[2] - kw) // across + 1

    def add_block(n: Array, y: Array) -> Array:
        start = jnp.minimum(n * BLOCK, height - BLOCK)
        block = lax.dynamic_slice_in_dim(x, start * down, rows, 1)
        parts = window_slices(block, (kh, kw), plan.strides)
        weights = kernel.reshape(-1, i, 1, 1, 1, kernel.shape[3])
        terms = [
            part[..., c : c + 1] * weights[t, c] for t, part in enumerate(parts) for c in range(i)
        ]
        return lax.dynamic_update_slice_in_dim(y, _sum(terms), start, 1)

    y = jnp.zeros((x.shape[0], height, width, kernel.shape[3]), dtype)
    y = lax.fori_loop(0, -(-height // BLOCK), add_block, y)
    return _rounded(plan, dtype, y)[0]


def depthwise_conv(x: Array, kernel: Array, plan: Plan) -> Array:
    """Return the convolution of each channel with its own kernel, as a sum of shifted products.

    The compiler fuses it into one loop over the pixels; the CPU library takes over ten times as
    long.
    """
    dtype = x.dtype
    x, kernel = _rounded(plan, dtype, x, kernel)
    parts = window_slices(_pad(x, plan), kernel.shape[:2], plan.strides)
    weights = kernel.reshape(-1, 1, 1, 1, kernel.shape[3])
    y = _sum([part * weights[n] for n, part in enumerate(parts)])
    return _rounded(plan, dtype, y)[0]


def _rounded(plan: Plan, dtype: Any, *arrays: Array) -> tuple[Array, ...]:
    """Return the operands or result of a sum, in "bfloat16" rounded as in the library.

    The sum itself is exact.
    """
    if plan.precision != "bfloat16":
        return arrays
    return tuple(a.astype(jnp.bfloat16).astype(dtype) for a in arrays)


def window_slices(x: Array, size: tuple[int, ...], strides: tuple[int, ...]) -> list[Array]:
    """Return, for each position in a sliding window, row by row, the pixels of x that it meets."""
    h, w = ((n - k) // s * s + 1 for n, k, s in zip(x.shape[1:3], size, strides, strict=True))
    positions = [(u, v) for u in range(size[0]) for v in range(size[1])]
    return [x[:, u : u + h : strides[0], v : v + w : strides[1]] for u, v in positions]


def interleave_phases(phases: list[list[Array]]) -> Array:
    """Return the image whose pixels of phase (u, v) are `phases[u][v]`, [b h w c]."""
    stacked = jnp.stack([jnp.stack(row, 3) for row in phases], 2)
    b, h, down, w, across, c = stacked.shape
    return stacked.reshape(b, h * down, w * across, c)


def dilate(y: Array, strides: tuple[int, ...], size: tuple[int, ...]) -> Array:
    """Return an image of `size` with the pixels of y at every stride-th place and zeros between."""
    if strides == (1, 1):
        return y
    ends = [n - (m - 1) * s - 1 for n, m, s in zip(size, y.shape[1:3], strides, strict=True)]
    spread = [(0, end, s - 1) for end, s in zip(ends, strides, strict=True)]
    return lax.pad(y, jnp.zeros((), y.dtype), ((0, 0, 0), *spread, (0, 0, 0)))


def _sum(parts: list[Array]) -> Array:
    return sum(parts[1:], parts[0])


def _join_channels(parts: list[Array]) -> Array:
    """Concatenate channels. XLA on the CPU would convert bfloat16 to float32 for that."""
    if parts[0].dtype != jnp.bfloat16:
        return jnp.concatenate(parts, axis=-1)
    bits = [lax.bitcast_convert_type(part, jnp.uint16) for part in parts]
    return lax.bitcast_convert_type(jnp.concatenate(bits, axis=-1), jnp.bfloat16)


def _pad(x: Array, plan: Plan) -> Array:
    spread = plan.dilation or (1, 1)
    margins = [(*pair, d - 1) for pair, d in zip(plan.pads, spread, strict=True)]
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *margins, (0, 0, 0)))
