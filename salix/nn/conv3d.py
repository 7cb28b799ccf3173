"""3-D convolution as a sum of 2-D convolutions of slices.

On the CPU XLA runs its own 3-D convolutions, and their gradients, several times slower.
"""

from typing import Literal

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from salix.nn.conv import active_form, conv
from salix.nn.conv_forms import Pair, Plan, xla_conv
from salix.precision import active_precision
from salix.typing import AnyArray, InputError

Triple = tuple[int, int, int]
Margins3d = tuple[Pair, Pair, Pair]
LAYOUT = ("NDHWC", "DHWIO", "NDHWC")
FEW = 4  # times as many outputs as inputs: then the slices of inputs are joined, not of outputs


def conv3d(
    x: Float[AnyArray, "b d h w c"],
    kernel: Float[AnyArray, "kd kh kw i o"],
    *,
    strides: Triple = (1, 1, 1),
    padding: Literal["SAME"] | Margins3d = "SAME",
    groups: int = 1,
) -> Float[Array, "b z y x o"]:
    r"""Return the convolution of volumes.

    $y_{zpqo} = \sum_{tuvi} x_{za+t-f,ps+u-m,qr+v-l,i} k_{tuvio}$ with `strides` (a, s, r) and
    `padding` ((f, back), (m, bottom), (l, right)), or "SAME" for ceil(d / a) slices of output,
    ceil(h / s) rows and ceil(w / r) columns. With `groups` g, inputs and outputs are split into g
    equal blocks of channels, convolved block by block: i = c / g. Form and precision are those of
    `salix.nn.conv.conv`, which computes the "explicit" form and its gradients.

    Raises `InputError` for ranks, channels, strides or margins that do not fit.
    """
    x, kernel = jnp.asarray(x), jnp.asarray(kernel)
    _check(x.shape, kernel.shape, strides, padding, groups)
    if isinstance(padding, str):
        front, top, left = lax.padtype_to_pads(x.shape[1:4], kernel.shape[:3], strides, padding)
        padding = (front, top, left)
    if active_form() == "xla":
        return xla_conv(x, kernel, Plan(strides, padding, groups, active_precision()), LAYOUT)
    return _sum_of_slices(x, kernel, strides, padding, groups)


def _check(
    shape: tuple[int, ...], kernel: tuple[int, ...], strides: object, padding: object, groups: int
) -> None:
    if len(shape) != 5 or len(kernel) != 5:
        raise InputError(
            f"volumes of shape {shape} and a kernel of shape {kernel}: expected [b d h w c] and "
            "[kd kh kw i o]; give a single volume as x[None]"
        )
    if groups < 1 or kernel[3] * groups != shape[4] or kernel[4] % groups:
        raise InputError(
            f"a kernel of {kernel[3]} to {kernel[4]} channels in {groups} groups does not fit "
            f"volumes of {shape[4]} channels: expected [kd kh kw c/groups o], o in equal groups"
        )
    if not isinstance(strides, tuple) or len(strides) != 3 or min(strides) < 1:
        raise InputError(f"strides {strides}: expected three of at least 1 (depth, height, width)")
    pairs = padding if isinstance(padding, tuple) else ()
    pairs = [isinstance(pair, tuple) and len(pair) == 2 for pair in pairs]
    if padding != "SAME" and pairs != [True] * 3:
        raise InputError(
            f"padding {padding!r}: expected 'SAME' or ((front, back), (top, bottom), (left, right))"
        )


def _sum_of_slices(x: Array, kernel: Array, strides: Triple, pads: Margins3d, groups: int) -> Array:
    (b, d, h, w, c), (kd, kh, kw, i, o) = x.shape, kernel.shape
    (step, down, across), ((front, back), rows, columns) = strides, pads
    depth = max((d + front + back - kd) // step + 1, 0)
    if groups == 1 and FEW * i <= o and depth and kd > 1:
        return _stacked_slices(x, kernel, strides, pads, depth)
    # Kernel slices that meet the same input slices, every step-th one, become output channels of
    # one 2-D convolution: with few channels far faster than one convolution each. Not depthwise
    # kernels, for which `conv` has a faster implementation.
    bunches = [range(first, kd, step) for first in range(min(step, kd))]
    if i == 1 and o == groups:
        bunches = [range(index, index + 1) for index in range(kd)]
    parts = []
    for indices in bunches:
        start = (indices[0] - front) % step
        slices = x[:, start::step]
        joined = kernel[indices[0] : indices[-1] + 1 : step]
        joined = joined.reshape(len(indices), kh, kw, i, groups, o // groups)
        joined = joined.transpose(1, 2, 3, 4, 0, 5).reshape(kh, kw, i, -1)
        y = conv(
            slices.reshape(-1, h, w, c),
            joined,
            strides=(down, across),
            padding=(rows, columns),
            groups=groups,
        )
        y = y.reshape(b, slices.shape[1], *y.shape[1:3], groups, len(indices), o // groups)
        for n, index in enumerate(indices):
            ahead = (index - front) // step
            ends = (-ahead, depth + ahead - slices.shape[1], 0)
            shifted = lax.pad(
                y[..., n, :], jnp.zeros((), y.dtype), ((0, 0, 0), ends, *[(0, 0, 0)] * 4)
            )
            parts.append(shifted.reshape(b, depth, *y.shape[2:4], o))
    return sum(parts[1:], parts[0])


def _stacked_slices(x: Array, kernel: Array, strides: Triple, pads: Margins3d, depth: int) -> Array:
    """Return the convolution with the slices that a kernel meets as input channels of one."""
    (b, _, h, w, c), (kd, kh, kw, i, o) = x.shape, kernel.shape
    (step, down, across), (ends, rows, columns) = strides, pads
    none = (0, 0, 0)
    padded = lax.pad(x, jnp.zeros((), x.dtype), (none, (*ends, 0), none, none, none))
    slices = [padded[:, t : t + (depth - 1) * step + 1 : step] for t in range(kd)]
    joined = jnp.concatenate(slices, axis=-1).reshape(b * depth, h, w, kd * c)
    kernel = kernel.transpose(1, 2, 0, 3, 4).reshape(kh, kw, kd * i, o)
    y = conv(joined, kernel, strides=(down, across), padding=(rows, columns))
    return y.reshape(b, depth, *y.shape[1:])
