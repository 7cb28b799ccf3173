"""The gradient of a convolution by its input, as convolutions that are fast wherever they stand."""

from dataclasses import replace

import jax.numpy as jnp
from jaxtyping import Array

from salix.nn.conv_forms import (
    Plan,
    as_dots,
    depthwise,
    dot,
    interleave,
    library,
    pointwise,
    put,
    shifted,
    taps,
)

GRID = 64  # pixels
FEW = 16  # channels: one convolution for all phases, its zeros included, is faster than several


def by_input(plan: Plan, g: Array, kernel: Array, shape: tuple[int, ...]) -> Array:
    """Return the gradient by the input, of a shape [b h w c], from that by the output."""
    if pointwise(plan, kernel):
        return put(dot(g, kernel[0, 0], plan, along=1), plan.strides, shape[1:3])
    if depthwise(plan, kernel):
        return _spread(plan, g, _swapped(plan, kernel), shape)
    return _phases(plan, g, kernel, shape)


def _swapped(plan: Plan, kernel: Array) -> Array:
    """Return a kernel of as many inputs as that has outputs, [kh kw o/groups c]."""
    h, w, each, _ = kernel.shape
    split = kernel.reshape(h, w, each, plan.groups, -1).transpose(0, 1, 4, 3, 2)
    return split.reshape(h, w, -1, plan.groups * each)


def _spread(plan: Plan, g: Array, swapped: Array, shape: tuple[int, ...]) -> Array:
    """Return the sum over the places of the kernel, of g with zeros between its pixels."""
    along = zip(swapped.shape, shape[1:3], g.shape[1:3], plan.strides, plan.pads, strict=False)
    pads = tuple((k - 1 - low, n - (m - 1) * s - 1 + low) for k, n, m, s, (low, _) in along)
    back = replace(plan, strides=(1, 1), pads=pads, dilation=plan.strides)
    return taps(g, swapped[::-1, ::-1], back)


def _phases(plan: Plan, g: Array, kernel: Array, shape: tuple[int, ...]) -> Array:
    """Return the gradient of each phase, the pixels of equal row and column modulo the stride.

    They meet every stride-th row and column of the kernel alone, so that no product is with the
    zeros that a stride would put between the pixels of g.
    """
    (down, along), lows = plan.strides, [low for low, _ in plan.pads]
    starts = [low // s for low, s in zip(lows, plan.strides, strict=True)]
    ends = [-(-(n + low) // s) for n, low, s in zip(shape[1:3], lows, plan.strides, strict=True)]
    h, w = (end - start for start, end in zip(starts, ends, strict=True))
    # To swap the channels of a large kernel takes longer than to convolve a small grid.
    large = plan.groups == 1 and kernel.size > 2**20 and g.shape[1] * g.shape[2] <= GRID
    dots = as_dots(plan, g, kernel) or large
    kernel = kernel if dots else _swapped(plan, kernel)

    def part(kernel: Array) -> Array:
        if not kernel.size:  # narrower than the stride
            return jnp.zeros((len(g), h, w, shape[3]), g.dtype)
        sides = zip(kernel.shape, g.shape[1:3], starts, ends, strict=False)
        pads = tuple((k - 1 - start, end - n) for k, n, start, end in sides)
        back = replace(plan, strides=(1, 1), pads=pads)
        if dots:
            return shifted(g, kernel, back, along=1)
        turned = kernel[::-1, ::-1]
        if pointwise(back, turned):
            return dot(g, turned[0, 0], back.exact())
        return library(g, turned, back)

    if plan.strides != (1, 1) and shape[3] < FEW and plan.groups == 1 and not dots:
        cells = part(_beside(kernel, down, along)).reshape(len(g), h, w, down, along, shape[3])
        whole = cells.transpose(0, 1, 3, 2, 4, 5).reshape(len(g), h * down, w * along, shape[3])
    else:
        parts = [[part(kernel[u::down, v::along]) for v in range(along)] for u in range(down)]
        whole = interleave(parts)
    top, left = (low - start * s for low, start, s in zip(lows, starts, plan.strides, strict=True))
    return whole[:, top : top + shape[1], left : left + shape[2]]


def _beside(kernel: Array, down: int, along: int) -> Array:
    """Return the kernels [kh kw o c] of all phases as one, [kh/down kw/along o down*along*c]."""
    h, w, o, _ = kernel.shape
    full = jnp.pad(kernel, ((0, -h % down), (0, -w % along), (0, 0), (0, 0)))
    split = full.reshape(-(-h // down), down, -(-w // along), along, o, -1)
    return split.transpose(0, 2, 4, 1, 3, 5).reshape(*split.shape[::2][:2], o, -1)
