"""Bank of Gaussian blurs of the levels of `salix.perturb.blur_kernels`.

The image is mirrored beyond its edges, as by SciPy's `gaussian_filter`. Kernels are summed tap by
tap, one plane after another, so that the plane stays in the cache of a CPU: products with banded
matrices take twice as long, for they multiply mostly zeros and write their blocks to memory.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from salix.perturb.blur_kernels import BLURRING, gaussian_kernel, kernel_radius, level_sigma

REACHES = (2, 5, 10, 20, 40)  # kernel radii, in pixels; levels of one radius share a loop
# Weights for 8-bit images are whole multiples of 2^-30, in two digits of 15 bits: their products
# are exact in 32 bits. Sums of the second digit may be off by some units of 2^-30, and a whole
# sum, as in flat areas, must not fall below.
DIGIT, DIGITS = 15, 2
ROUNDING = 2**10  # in units of 2^-30
CENTRE = 128
# Truncation depends on the sign of a difference from the centre, however small its weight. A weight
# of this size changes no value by a level either, and survives rounding.
SMALLEST_WEIGHT = 1e-3

Planes = Float[Array, "c h w"]
Extended = Float[Array, "c tall wide"]  # planes with margins
Taps = Float[Array, "digits taps"]


def fixed_point_digits(weights: Float[np.ndarray, " taps"]) -> Float[np.ndarray, "digits taps"]:
    """Return weights that sum to 1 as two 15-bit digits, in units of 2^-30."""
    reach = weights.size // 2
    if 0 < weights[reach + 1] < SMALLEST_WEIGHT:
        weights = np.select([np.abs(np.arange(-reach, reach + 1)) == 1], [SMALLEST_WEIGHT], 0.0)
    integers = np.rint(weights * 2 ** (DIGIT * DIGITS)).astype(np.int64)
    integers[reach] += 2 ** (DIGIT * DIGITS) - integers.sum()  # flat areas keep their level
    return np.stack([integers >> DIGIT, integers & (2**DIGIT - 1)]).astype(float)


def blur_planes(planes: Planes, sigma: float, *, eight_bit: bool = False) -> Planes:
    """Blur every plane by one sigma; `eight_bit` as in `fold_levels`."""
    reach = kernel_radius(sigma)
    taps = jnp.asarray(_taps(sigma, reach, eight_bit), planes.dtype)
    return _blur(_extend(planes, reach, eight_bit), taps, 1)


def fold_levels(
    planes: Planes,
    add: Callable[[Any, Int[Array, ""], Planes], Any],
    initial: Any,
    *,
    levels: Sequence[int] = BLURRING,
    eight_bit: bool = False,
    stride: int = 1,
) -> Any:
    """Fold `add(total, level, blurred planes)` over rising levels that blur, in a scan.

    By default over all of them: levels 0 to 33 blur nothing. Blurred planes consist of every
    `stride`-th row and column.

    With `eight_bit` planes are whole grey levels, 0 to 255, and are truncated after each axis as
    SciPy does for 8-bit images: exactly, except that where all pixels under a kernel are equal
    SciPy may lose a level by the last bit of its weights, and this loses none. All 67 levels take
    4e8 multiplications for an image of 224 x 224 x 3, whatever `add` does, twice that with
    `eight_bit`; those of `BASIS` a quarter.
    """
    total = initial
    radii = {level: kernel_radius(level_sigma(level)) for level in levels}
    for reach, group in groupby(levels, lambda b: min(r for r in REACHES if radii[b] <= r)):
        numbers = np.array(list(group), np.int32)
        taps = np.stack([_taps(level_sigma(int(b)), reach, eight_bit) for b in numbers])
        extended = _extend(planes, reach, eight_bit)  # the same for every level

        def step(
            total: Any, level_taps: tuple[Array, Taps], extended: Extended = extended
        ) -> tuple[Any, None]:
            # Without the barrier the sums of pairs of taps, equal for all levels, would be computed
            # before the scan and read from memory by each of its steps.
            (level, taps), extended = lax.optimization_barrier((level_taps, extended))
            return add(total, level, _blur(extended, taps, stride)), None

        total, _ = lax.scan(step, total, (jnp.asarray(numbers), jnp.asarray(taps, planes.dtype)))
    return total


def _taps(sigma: float, reach: int, eight_bit: bool) -> Float[np.ndarray, "digits taps"]:
    weights = gaussian_kernel(sigma, reach)
    return fixed_point_digits(weights) if eight_bit else weights[None]


def _extend(planes: Planes, reach: int, eight_bit: bool) -> Extended:
    """Return the planes mirrored about all their edges, those of 8 bits centred on 0."""
    margins = [(0, 0), (reach, reach), (reach, reach)]
    return jnp.pad(planes, margins, mode="symmetric") - (CENTRE if eight_bit else 0)


def _blur(extended: Extended, taps: Taps, stride: int) -> Planes:
    """Blur extended planes along the columns, then along the rows, each in a loop over planes.

    The loops keep the sums of the columns from being computed anew for every tap of the rows, and
    those of the rows for whatever is computed from them. A loop over a single plane would be
    unrolled, so that the compiler must not know its length.
    """
    count = jnp.where(taps[0, 0] >= 0, len(extended), 0)  # weights are never negative
    blurred: Array = extended
    for axis in (0, 1):
        blur_axis = partial(_sum_taps, taps=taps, axis=axis, stride=stride)
        shape = jax.eval_shape(blur_axis, blurred[0]).shape

        def write(
            i: Array, results: Array, blur: Any = blur_axis, planes: Array = blurred
        ) -> Array:
            return results.at[i].set(blur(planes[i]))

        blurred = lax.fori_loop(0, count, write, jnp.zeros((len(blurred), *shape), blurred.dtype))
    return blurred + (CENTRE if taps.shape[0] == DIGITS else 0)


def _sum_taps(plane: Array, taps: Taps, axis: int, stride: int) -> Array:
    """Return a plane blurred along an axis, without its margins, by pairs of equal taps."""
    reach = taps.shape[1] // 2

    def shifted(first: int) -> Array:
        last = plane.shape[axis] - 2 * reach + first
        return lax.slice_in_dim(plane, first, last, stride, axis)

    sums = [digit[reach] * shifted(reach) for digit in taps]
    for t in range(reach):
        pair = shifted(t) + shifted(2 * reach - t)
        sums = [total + digit[t] * pair for total, digit in zip(sums, taps, strict=True)]
    if len(sums) == 1:
        return sums[0]
    # Whole numbers, rounded down: exact in floats too, and conversion to integers takes longer.
    carried = jnp.floor((sums[1] + ROUNDING) * 2.0**-DIGIT)
    return jnp.floor((sums[0] + carried) * 2.0**-DIGIT)
