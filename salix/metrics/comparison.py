"""Configurable comparison of two maps, over all pixels or only where both are defined."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Num

from salix.hyperparameters import (
    FLAG,
    WINDOW,
    check_fields,
    choice,
    instance,
    integer,
    optional,
)
from salix.metrics.inputs import as_pair
from salix.metrics.normalisation import to_8_bit
from salix.metrics.resizing import enlarge
from salix.metrics.similarity import pearson, rank_values, spearman, ssim, ssim_map
from salix.typing import AnyArray, Map, Number, Scalar

ValidMask = Bool[AnyArray, "h w"]


@dataclass(frozen=True)
class Similarity:
    """Similarity of two maps in [0, 1], by structure, by value or by rank: 1 for equal maps.

    `kind` is "ssim" (with a `window` of pixels, or the largest odd one that fits), "pearson" or
    "spearman". `eight_bit` truncates both maps to 8 bits first, as released. `side` enlarges both
    to [side side] first, bicubically; 8-bit maps as Pillow does, to the last bit; None compares
    the native grids. Range [-1, 1]; NaN where a correlation is not defined. Raises `InputError`
    for an unknown kind and a window below 2.
    """

    kind: str = "ssim"
    window: int = 7
    side: int | None = None
    eight_bit: bool = True

    def __post_init__(self):
        check_fields(
            self,
            kind=choice(("ssim", "pearson", "spearman")),
            window=WINDOW,
            side=optional(integer(1)),
            eight_bit=FLAG,
        )

    def __call__(self, a: Map, b: Map) -> Scalar:
        x, y = self.prepare(a), self.prepare(b)
        if self.kind == "pearson":
            return pearson(x, y)
        if self.kind == "spearman":
            return spearman(x, y)
        return ssim(x, y, window=self.fit_window(x.shape), data_range=self.data_range)

    def fit_window(self, shape: tuple[int, ...]) -> int:
        """Return the side of the SSIM window for maps of a shape."""
        return min(self.window, (min(shape) - 1) // 2 * 2 + 1)

    @property
    def data_range(self) -> int:
        """The largest possible value of a compared map."""
        return 255 if self.eight_bit else 1

    def prepare(self, map: Map) -> Num[AnyArray, "*compared"]:
        """Return a map in the bits and on the grid of the comparison."""
        map = to_8_bit(map) if self.eight_bit else jnp.asarray(map)
        return map if self.side is None else enlarge(map, self.side)

    def compare_where(self, a: Map, b: Map, valid: ValidMask) -> Scalar:
        """Compare the `valid` pixels of two prepared maps [h w].

        SSIM is averaged over the windows in which all pixels are valid. Range [-1, 1]; NaN where
        nothing is valid or a correlation is not defined.
        """
        if self.kind == "ssim":
            window = self.fit_window(a.shape)
            return ssim_where(a, b, valid, window=window, data_range=self.data_range)
        x, y = as_pair(a, b)
        if self.kind == "spearman":
            # Invalid pixels share the last rank, and leave the ranks of the others unchanged.
            x, y = (rank_values(jnp.where(valid, map, jnp.inf)) for map in (x, y))
        # A pixel at the mean adds nothing to a covariance.
        x, y = (jnp.where(valid, map, _mean_where(map, valid)) for map in (x, y))
        return pearson(x, y)


SIMILARITY = instance(Similarity, remedy="give a Similarity, such as Similarity('pearson')")


def ssim_where(a: Map, b: Map, valid: ValidMask, *, window: int, data_range: Number) -> Scalar:
    """Mean `ssim_map` over the windows in which all pixels are `valid`; NaN if there is none."""
    size = (window, window)
    valid_windows = lax.reduce_window(valid, np.True_, lax.bitwise_and, size, (1, 1), "VALID")
    return _mean_where(ssim_map(a, b, window=window, data_range=data_range), valid_windows)


def _mean_where(values: Array, valid: ValidMask) -> Scalar:
    count = valid.sum().astype(values.dtype)
    total = jnp.where(valid, values, 0).sum()
    return jnp.where(count > 0, total / jnp.maximum(count, 1), jnp.nan)
