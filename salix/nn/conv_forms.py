"""The ways in which a convolution can be computed, and what all of them are told."""

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from salix.precision import LIBRARY, Precision

Pair = tuple[int, int]
Margins = tuple[Pair, Pair]
LAYOUT = ("NHWC", "HWIO", "NHWC")
PLACES = 49  # of a kernel that is written out, place by place
SMALL = 256  # pixels, margins included: of 14x14 and less
LARGE = 2**16  # numbers of a matrix: 256 channels to 256


@dataclass(frozen=True)
class Plan:
    """All that shapes do not say: fixed when the forward pass is traced, kept for the gradient."""

    strides: tuple[int, ...]
    pads: tuple[Pair, ...]
    groups: int
    precision: Precision
    dilation: tuple[int, ...] | None = None  # of the input: a gradient's stride

    def exact(self) -> "Plan":
        """Return the plan without products in bfloat16, which are rounded for maps alone."""
        return replace(self, precision="float32") if self.precision == "bfloat16_dots" else self


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
        dimension_numbers=layout,
        feature_group_count=plan.groups,
        precision=LIBRARY[plan.precision],
    )
    return y.astype(kept)


def pointwise(plan: Plan, kernel: Array) -> bool:
    """Whether a convolution is the product of each pixel with a matrix."""
    return kernel.shape[:2] == (1, 1) and plan.groups == 1 and plan.pads == ((0, 0), (0, 0))


def as_dots(plan: Plan, x: Array, kernel: Array) -> bool:
    """Whether a convolution is summed as matrix products, one for each place in its kernel.

    Those in bfloat16 are; and those of images smaller than the kernel, which XLA would exchange
    with it, to run the images over the weights: a hundred times slower.
    """
    small = x.shape[1] * x.shape[2] < kernel.shape[0] * kernel.shape[1] <= PLACES
    rounded = plan.precision == "bfloat16_dots" and summed(kernel.shape)
    return plan.groups == 1 and (small or rounded)


def summed(shape: tuple[int, ...]) -> bool:
    """Whether a convolution by a kernel of that shape is faster as matrix products in bfloat16."""
    return shape[0] * shape[1] <= 9 and shape[2] >= 16


def depthwise(plan: Plan, kernel: Any) -> bool:
    """Whether each channel has one kernel of its own, small enough to be written out."""
    h, w, i, o = kernel.shape
    return i == 1 and o == plan.groups and h * w <= PLACES


def explicit(plan: Plan, x: Array, kernel: Array) -> Array:
    """Return the convolution in the form that suits its kernel."""
    if pointwise(plan, kernel):
        down, along = plan.strides
        return dot(x[:, ::down, ::along], kernel[0, 0], plan)
    if as_dots(plan, x, kernel):
        return shifted(x, kernel, plan)
    return (taps if depthwise(plan, kernel) else library)(x, kernel, plan)


def dot(x: Array, matrix: Array, plan: Plan, along: int = 0, kept: Any = None) -> Array:
    """Return the product of the channels of x with a matrix [i o], or by its columns [o i].

    The result is of the type `kept`, by default that of x.
    """
    kept, result = kept or x.dtype, None
    if plan.precision.startswith("bfloat16"):
        x, matrix = x.astype(jnp.bfloat16), matrix.astype(jnp.bfloat16)
        result = jnp.float32 if plan.precision == "bfloat16_dots" else None
    axes = (((x.ndim - 1,), (along,)), ((), ()))
    y = lax.dot_general(x, matrix, axes, LIBRARY[plan.precision], result)
    return y.astype(kept)


def shifted(x: Array, kernel: Array, plan: Plan, along: int = 0) -> Array:
    """Return the convolution as a sum of matrix products, by kernels [kh kw i o].

    With `along` 1 they are those whose gradient it is, [kh kw o i], to be turned by half a circle.
    On a small grid there is one for each place of a large kernel, whose matrices then stay where
    they are. Else, where to write the products costs more, each pixel is multiplied with all places
    at once if the outputs are fewer than the inputs, or those above each other with its columns.
    """
    (kh, kw), kept, stride = kernel.shape[:2], x.dtype, plan.strides
    if plan.precision == "bfloat16_dots":  # rounded before it is copied
        x = x.astype(jnp.bfloat16)
    x = _padded(x, plan)
    if x.shape[1] * x.shape[2] <= SMALL and kernel[0, 0].size >= LARGE:
        matrices = list(kernel.reshape(-1, *kernel.shape[2:]))
        seen = zip(windows(x, (kh, kw), stride), matrices[:: -1 if along else 1], strict=True)
        return _sum([dot(part, matrix, plan, along, kept) for part, matrix in seen])
    kernel = kernel[::-1, ::-1].swapaxes(2, 3) if along else kernel
    i, o = kernel.shape[2:]
    if o >= i or stride != (1, 1):
        x = _beside(windows(x, (kh, 1), (stride[0], 1)))
        kh, kernel = 1, kernel.transpose(1, 0, 2, 3).reshape(1, kw, kh * i, o)
    matrices = kernel.reshape(-1, *kernel.shape[2:])
    if stride[1] > 1:  # products that are not wanted would lie between the others
        seen = enumerate(windows(x, (kh, kw), (1, stride[1])))
        return _sum([dot(part, matrices[n], plan, kept=kept) for n, part in seen])
    y = dot(x, matrices.transpose(1, 0, 2).reshape(x.shape[3], -1), plan, kept=kept)
    seen = enumerate(windows(y, (kh, kw), (1, 1)))
    return _sum([part[..., n * o : (n + 1) * o] for n, part in seen])


def _sum(parts: list[Array]) -> Array:
    return sum(parts[1:], parts[0])


def _beside(parts: list[Array]) -> Array:
    """Put channels side by side. XLA on the CPU would make float32 of bfloat16 for that."""
    if parts[0].dtype != jnp.bfloat16:
        return jnp.concatenate(parts, axis=-1)
    bits = [lax.bitcast_convert_type(part, jnp.uint16) for part in parts]
    return lax.bitcast_convert_type(jnp.concatenate(bits, axis=-1), jnp.bfloat16)


def taps(x: Array, kernel: Array, plan: Plan) -> Array:
    """Return the convolution of each channel with its one kernel, as a sum of shifted products.

    The compiler makes one loop over the pixels of it; the CPU's library takes over ten times as
    long.
    """
    kept = x.dtype
    if plan.precision == "bfloat16":  # rounded as the library does, but summed exactly
        x, kernel = (a.astype(jnp.bfloat16).astype(kept) for a in (x, kernel))
    seen = windows(_padded(x, plan), kernel.shape[:2], plan.strides)
    rows = kernel.reshape(-1, 1, 1, 1, kernel.shape[3])
    parts = [part * rows[n] for n, part in enumerate(seen)]
    y = _sum(parts)
    return y.astype(jnp.bfloat16).astype(kept) if plan.precision == "bfloat16" else y


def _padded(x: Array, plan: Plan) -> Array:
    spread = plan.dilation or (1, 1)
    margins = [(*pair, d - 1) for pair, d in zip(plan.pads, spread, strict=True)]
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *margins, (0, 0, 0)))


def windows(x: Array, size: tuple[int, ...], strides: tuple[int, ...]) -> list[Array]:
    """Return the pixels that each place of a window meets on its way over x, row by row."""
    h, w = ((n - k) // s * s + 1 for n, k, s in zip(x.shape[1:3], size, strides, strict=True))
    places = [(u, v) for u in range(size[0]) for v in range(size[1])]
    return [x[:, u : u + h : strides[0], v : v + w : strides[1]] for u, v in places]


def interleave(phases: list[list[Array]]) -> Array:
    """Return images whose pixels of each phase, [b h w c], are given row by row of the phases."""
    cells = jnp.stack([jnp.stack(row, 3) for row in phases], 2)
    b, h, down, w, along, c = cells.shape
    return cells.reshape(b, h * down, w * along, c)


def put(y: Array, strides: tuple[int, ...], sizes: tuple[int, ...]) -> Array:
    """Place the pixels of y at every stride-th one of an empty image, from its first on."""
    if strides == (1, 1):
        return y
    ends = [n - (m - 1) * s - 1 for n, m, s in zip(sizes, y.shape[1:3], strides, strict=True)]
    spread = [(0, end, s - 1) for end, s in zip(ends, strides, strict=True)]
    return lax.pad(y, jnp.zeros((), y.dtype), ((0, 0, 0), *spread, (0, 0, 0)))
