"""Occlusion: the drop of the score under a sliding window."""

import math
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from salix.attribution.chunks import CHUNK, map_chunks
from salix.attribution.filling import FILL, Fill, filled
from salix.hyperparameters import check_fields, choice, either, integer, optional, several
from salix.precision import widen
from salix.typing import Image, InputError, Passes, PRNGKey, ScoreLike

SIZES = either(
    integer(1),
    several(integer(1), remedy=""),
    remedy="give a whole number, 1 or more, or one for each axis",
)


@dataclass(frozen=True)
class Occlusion:
    r"""Drop of the score under a window, $f(x) - f(x \text{ filled in the window})$, at each place.

    Windows of `window` pixels start every `stride` pixels (half the window by default), from the
    first pixel until one reaches the last, which is cut off at the edge: of n pixels in a row there
    are $\lceil (n - w) / s \rceil + 1$, one where w is n or more. Both are one number, or one an
    axis. A is signed, in units of the score, and a pixel has the "mean" (Captum) or the "sum"
    (PAIR) of the drops of the windows that cover it, by `combine`; all channels are filled at once.
    For a linear score and disjoint windows, a window has the sum of its pixels' contributions.

    `fill` is as in `salix.attribution.filling.filled`. One pass for each window and one for the
    image; windows are scanned, `chunk` in one batch. Raises `InputError` for a stride over the
    window, which leaves pixels out, and for windows of another number of axes than the image.

    Zeiler and Fergus (2014), arXiv:1311.2901, sec. 4.2.
    """

    window: int | tuple[int, ...] = 16
    stride: int | tuple[int, ...] | None = None
    fill: Fill = 0.0
    combine: str = "mean"
    chunk: int = CHUNK

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign

    def __post_init__(self) -> None:
        check_fields(self, window=SIZES, stride=optional(SIZES), fill=FILL, chunk=integer(1))
        check_fields(self, combine=choice(("mean", "sum")))
        axes = [len(v) for v in (self.window, self.stride) if isinstance(v, tuple)]
        if len(set(axes)) > 1:
            raise InputError(f"window {self.window} and stride {self.stride} differ in axes")
        self._sizes(axes[0] if axes else 1)

    def _sizes(self, axes: int) -> list[tuple[int, int]]:
        """Return the window and the stride of each axis."""
        windows = self.window if isinstance(self.window, tuple) else (self.window,) * axes
        strides = self.stride if isinstance(self.stride, tuple) else (self.stride,) * axes
        if not len(windows) == len(strides) == axes:
            raise InputError(
                f"window {self.window} and stride {self.stride} have another number of axes than "
                f"the image, which has {axes} beside its channels: give one number for each of them"
            )
        sizes = [(w, s or (w + 1) // 2) for w, s in zip(windows, strides, strict=True)]
        if any(s > w for w, s in sizes):
            raise InputError(
                f"stride {self.stride} is over window {self.window} and leaves pixels without a "
                f"window: give a stride of {self.window} or less"
            )
        return sizes

    def _counts(self, shape: tuple[int, ...]) -> list[int]:
        sizes = self._sizes(len(shape) - 1)
        return [-(-max(n - w, 0) // s) + 1 for n, (w, s) in zip(shape, sizes, strict=False)]

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the passes of the model for one image of a shape [*space c]."""
        return Passes(evaluations=1 + math.prod(self._counts(shape)))

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*space 1"]:
        image = jnp.asarray(image)
        fill = filled(self.fill, score, image, key)
        counts, space = self._counts(image.shape), image.shape[:-1]
        covers = [
            _cover(count, length, *sizes)
            for count, length, sizes in zip(counts, space, self._sizes(len(space)), strict=True)
        ]

        def evaluate(index: Array) -> Array:
            places = jnp.unravel_index(index, counts)
            rows = [c[place] for c, place in zip(covers, places, strict=True)]
            inside = reduce(lambda a, row: a[..., None] & jnp.expand_dims(row, range(a.ndim)), rows)
            return widen(score(jnp.where(inside[..., None], fill, image)))

        values = map_chunks(evaluate, jnp.arange(math.prod(counts)), chunk=self.chunk)
        drops = widen(score(image)) - values
        total = _spread(drops.reshape(counts), covers)
        if self.combine == "mean":
            total = total / _spread(jnp.ones_like(drops).reshape(counts), covers)
        return total[..., None]


def _cover(count: int, length: int, window: int, stride: int) -> Bool[Array, "count length"]:
    """Return the pixels of an axis that each window covers."""
    starts, pixels = stride * jnp.arange(count)[:, None], jnp.arange(length)[None]
    return (starts <= pixels) & (pixels < starts + window)


def _spread(values: Array, covers: list[Array]) -> Array:
    """Return the sum at each pixel of the values of the windows that cover it."""
    for cover in covers:  # the first axis, of windows, becomes the last, of pixels
        cover = cover.astype(values.dtype)
        values = jnp.tensordot(values, cover, (0, 0), precision=lax.Precision.HIGHEST)
    return values
