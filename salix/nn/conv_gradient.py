"""Gradient of a convolution by its input, written as forward convolutions."""

from dataclasses import replace

import jax.numpy as jnp
from jaxtyping import Array

from salix.nn.conv_forms import (
    Plan,
    depthwise_conv,
    dilate,
    dot,
    interleave_phases,
    is_depthwise,
    is_pointwise,
    shifted_dots,
    uses_dots,
    xla_conv,
)

SMALL_GRID = 64  # pixels
FEW_CHANNELS = 16  # fewer: one convolution for all phases, zeros included, beats several


def input_gradient(plan: Plan, g: Array, kernel: Array, shape: tuple[int, ...]) -> Array:
    """Return the gradient by an input of shape [b h w c], given the gradient g by the output."""
    if is_pointwise(plan, kernel):
        return dilate(dot(g, kernel[0, 0], plan, axis=1), plan.strides, shape[1:3])
    if is_depthwise(plan, kernel):
        # the sum over kernel positions of g, dilated by the stride
        swapped = _swap_channels(plan, kernel)
        sides = zip(swapped.shape, shape[1:3], g.shape[1:3], plan.strides, plan.pads, strict=False)
        pads = tuple((k - 1 - low, n - (m - 1) * s - 1 + low) for k, n, m, s, (low, _) in sides)
        back = replace(plan, strides=(1, 1), pads=pads, dilation=plan.strides)
        return depthwise_conv(g, swapped[::-1, ::-1], back)
    return _phase_gradient(plan, g, kernel, shape)


def _swap_channels(plan: Plan, kernel: Array) -> Array:
    """Return the kernel from outputs to inputs, [kh kw o/groups c]."""
    h, w, each, _ = kernel.shape
    split = kernel.reshape(h, w, each, plan.groups, -1).transpose(0, 1, 4, 3, 2)
    return split.reshape(h, w, -1, plan.groups * each)


def _phase_gradient(plan: Plan, g: Array, kernel: Array, shape: tuple[int, ...]) -> Array:
    """Return the gradient phase by phase: pixels of equal row and column modulo the stride.

    A phase meets only every stride-th row and column of the kernel, so that nothing is multiplied
    with the zeros that a stride would put between the pixels of g.
    """
    (down, across), lows = plan.strides, [low for low, _ in plan.pads]
    starts = [low // s for low, s in zip(lows, plan.strides, strict=True)]
    ends = [-(-(n + low) // s) for n, low, s in zip(shape[1:3], lows, plan.strides, strict=True)]
    h, w = (end - start for start, end in zip(starts, ends, strict=True))
    # Swapping the channels of a large kernel takes longer than convolving a small grid.
    large = plan.groups == 1 and kernel.size > 2**20 and g.shape[1] * g.shape[2] <= SMALL_GRID
    dots = uses_dots(plan, g, kernel) or large
    kernel = kernel if dots else _swap_channels(plan, kernel)

    def phase(kernel: Array) -> Array:
        if not kernel.size:  # the kernel is narrower than the stride
            return jnp.zeros((len(g), h, w, shape[3]), g.dtype)
        sides = zip(kernel.shape, g.shape[1:3], starts, ends, strict=False)
        pads = tuple((k - 1 - start, end - n) for k, n, start, end in sides)
        back = replace(plan, strides=(1, 1), pads=pads)
        if dots:
            return shifted_dots(g, kernel, back, axis=1)
        rotated = kernel[::-1, ::-1]
        if is_pointwise(back, rotated):
            return dot(g, rotated[0, 0], back.exact())
        return xla_conv(g, rotated, back)

    if plan.strides != (1, 1) and shape[3] < FEW_CHANNELS and plan.groups == 1 and not dots:
        joined = phase(_join_phases(kernel, down, across))
        joined = joined.reshape(len(g), h, w, down, across, shape[3]).transpose(0, 1, 3, 2, 4, 5)
        padded = joined.reshape(len(g), h * down, w * across, shape[3])
    else:
        phases = [[phase(kernel[u::down, v::across]) for v in range(across)] for u in range(down)]
        padded = interleave_phases(phases)
    top, left = (low - start * s for low, start, s in zip(lows, starts, plan.strides, strict=True))
    return padded[:, top : top + shape[1], left : left + shape[2]]


def _join_phases(kernel: Array, down: int, across: int) -> Array:
    """Return the kernels [kh kw o c] of all phases as one, [kh/down kw/across o down*across*c]."""
    h, w, o, _ = kernel.shape
    full = jnp.pad(kernel, ((0, -h % down), (0, -w % across), (0, 0), (0, 0)))
    split = full.reshape(-(-h // down), down, -(-w // across), across, o, -1)
    return split.transpose(0, 2, 4, 1, 3, 5).reshape(*split.shape[::2][:2], o, -1)
