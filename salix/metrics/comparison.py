"""How alike two maps are: the comparison that the measures of change share."""

from dataclasses import dataclass
from math import floor

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Num

from salix.metrics import pearson, spearman, ssim, to_8_bit
from salix.typing import AnyArray, InputError, Map, Scalar

BITS = 22  # of the fractions that Pillow resizes 8-bit images with


@dataclass(frozen=True)
class Similarity:
    """Similarity of two maps in [0, 1], by structure, by value or by rank: 1 for equal maps.

    `kind` is "ssim" (with a `window` of cells, or the largest odd one that fits), "pearson" or
    "spearman". `eight_bit` truncates both maps to 8 bits first, as released. `side` enlarges both
    to [side side] first, bicubically; 8-bit maps as Pillow does, to the last bit; None compares
    the native grids. Range [-1, 1]; NaN where a correlation is not defined.
    """

    kind: str = "ssim"
    window: int = 7
    side: int | None = None
    eight_bit: bool = True

    def __post_init__(self):
        if self.kind not in (kinds := ("ssim", "pearson", "spearman")):
            raise InputError(f"kind is {self.kind!r}: choose one of {', '.join(kinds)}")
        if self.window < 2:
            raise InputError(f"window is {self.window}: give at least 2 cells")

    def __call__(self, a: Map, b: Map) -> Scalar:
        x, y = self.prepare(a), self.prepare(b)
        if self.kind == "pearson":
            return pearson(x, y)
        if self.kind == "spearman":
            return spearman(x, y)
        return ssim(x, y, window=self.fitting(x.shape), data_range=self.data_range)

    def fitting(self, shape: tuple[int, ...]) -> int:
        """Return the window for maps of a shape."""
        return min(self.window, (min(shape) - 1) // 2 * 2 + 1)

    @property
    def data_range(self) -> int:
        """The greatest value that a compared map can have."""
        return 255 if self.eight_bit else 1

    def prepare(self, map: Map) -> Num[AnyArray, "*compared"]:
        """Return a map in the bits and on the grid in which it is compared."""
        map = to_8_bit(map) if self.eight_bit else jnp.asarray(map)
        return map if self.side is None else enlarge(map, self.side)


def enlarge(map: Map, side: int) -> Num[Array, "side side"]:
    """Return a map [h w] enlarged bicubically to [side side], in its own type.

    Columns first, then rows, with the kernel of Keys (1981), a = -0.5, cut and renormalised at the
    edges: what Pillow does, with its fixed-point arithmetic for 8-bit maps. A map that has that
    side already is returned as it is. Raises `InputError` for a map of other than two axes or one
    larger than `side`.
    """
    if map.ndim != 2 or max(map.shape) > side:
        raise InputError(f"a map of shape {map.shape} cannot be enlarged to {side} x {side}")
    if map.shape == (side, side):
        return jnp.asarray(map)
    rows, columns = (_bicubic(n, side) for n in map.shape)
    if map.dtype != jnp.uint8:
        x = jnp.asarray(map)
        wide = x @ jnp.asarray(columns.T, x.dtype)
        return jnp.clip(jnp.asarray(rows, x.dtype) @ wide, 0, 1)
    wide = _round(jnp.asarray(map).astype(jnp.int32) @ _fixed(columns).T)
    return _round(_fixed(rows) @ wide).astype(jnp.uint8)


def _fixed(weights: np.ndarray) -> Int[Array, "to of"]:
    # Away from zero at a half, as a C cast of x + 0.5 does for both signs in Pillow.
    whole = np.trunc(weights * 2**BITS + np.copysign(0.5, weights))
    return jnp.asarray(whole.astype(np.int32))


def _round(sums: Int[Array, "h w"]) -> Int[Array, "h w"]:
    return jnp.clip((sums + 2 ** (BITS - 1)) >> BITS, 0, 255)


def _bicubic(of: int, to: int) -> Float[np.ndarray, "to of"]:
    """Return the weights of each place along an axis of `to` places, from `of` of them."""
    weights, ratio = np.zeros((to, of)), of / to
    for place in range(to):
        centre = (place + 0.5) * ratio
        first, last = max(0, floor(centre - 2 + 0.5)), min(of, floor(centre + 2 + 0.5))
        t = np.abs(np.arange(first, last) + 0.5 - centre)
        near = (1.5 * t - 2.5) * t * t + 1
        far = ((-0.5 * t + 2.5) * t - 4) * t + 2
        kernel = np.where(t < 1, near, np.where(t < 2, far, 0))
        weights[place, first:last] = kernel / kernel.sum()
    return weights
