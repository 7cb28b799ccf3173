"""The convolution of volumes, as convolutions of their slices.

On the CPU XLA runs its own convolutions of volumes, and their gradients, several times slower.
"""

from typing import Literal

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from salix.nn.conv import conv, forms
from salix.nn.conv_forms import Pair, Plan, library
from salix.typing import AnyArray, InputError

Triple = tuple[int, int, int]
Margins3d = tuple[Pair, Pair, Pair]
LAYOUT = ("NDHWC", "DHWIO", "NDHWC")


def conv3d(
    x: Float[AnyArray, "b d h w c"],
    kernel: Float[AnyArray, "kd kh kw i o"],
    strides: Triple = (1, 1, 1),
    padding: Literal["SAME"] | Margins3d = "SAME",
    groups: int = 1,
) -> Float[Array, "b z y x o"]:
    r"""Return the convolution of volumes.

    $y_{zpqo} = \sum_{tuvi} x_{za+t-f,ps+u-m,qr+v-l,i} k_{tuvio}$ with `strides` (a, s, r) and
    `padding` ((f, back), (m, bottom), (l, right)), or "SAME" for ceil(d / a) slices of output,
    ceil(h / s) rows and ceil(w / r) columns. With `groups` g, inputs and outputs are g equal blocks
    of channels, each joined with its own: i = c / g. The form and the precision are those of
    `salix.nn.conv.forms()`: "explicit" is made of `conv`, and has its gradients.

    Ranks, channels, strides or margins that do not fit are an `InputError`.
    """
    x, kernel = jnp.asarray(x), jnp.asarray(kernel)
    _check(x.shape, kernel.shape, strides, padding, groups)
    if isinstance(padding, str):
        front, top, left = lax.padtype_to_pads(x.shape[1:4], kernel.shape[:3], strides, padding)
        padding = (front, top, left)
    form, policy = forms()
    if form == "xla":
        return library(x, kernel, Plan(strides, padding, groups, policy), LAYOUT)
    return _slices(x, kernel, strides, padding, groups)


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


def _slices(x: Array, kernel: Array, strides: Triple, pads: Margins3d, groups: int) -> Array:
    (b, d, h, w, c), (kd, kh, kw, i, o) = x.shape, kernel.shape
    (step, down, along), ((front, back), rows, columns) = strides, pads
    depth = max((d + front + back - kd) // step + 1, 0)
    # Taps that meet the same slices, every step-th one, are outputs of one convolution: for few
    # channels far faster than one for each. Of depthwise taps `conv` has a faster form alone.
    bunches = [range(first, kd, step) for first in range(min(step, kd))]
    if i == 1 and o == groups:
        bunches = [range(tap, tap + 1) for tap in range(kd)]
    parts = []
    for taps in bunches:
        start = (taps[0] - front) % step
        seen = x[:, start::step]
        joined = kernel[taps[0] : taps[-1] + 1 : step]
        joined = joined.reshape(len(taps), kh, kw, i, groups, o // groups)
        joined = joined.transpose(1, 2, 3, 4, 0, 5).reshape(kh, kw, i, -1)
        y = conv(seen.reshape(-1, h, w, c), joined, (down, along), (rows, columns), groups)
        y = y.reshape(b, seen.shape[1], *y.shape[1:3], groups, len(taps), o // groups)
        for at, tap in enumerate(taps):
            ahead = (tap - front) // step
            ends = (-ahead, depth + ahead - seen.shape[1], 0)
            shifted = lax.pad(
                y[..., at, :], jnp.zeros((), y.dtype), ((0, 0, 0), ends, *[(0, 0, 0)] * 4)
            )
            parts.append(shifted.reshape(b, depth, *y.shape[2:4], o))
    return sum(parts[1:], parts[0])
