"""Similarity of many pairs of 8-bit maps, chunk by chunk of the images."""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Integer, Num, UInt8

from salix.metrics.comparison import Similarity
from salix.typing import Index, InputError

SimilarityKind = Literal["ssim", "pearson", "spearman"]
StoredMaps = Num[np.ndarray, "..."]  # uint8 [runs images *grid]; other maps get an `InputError`
PairSimilarity = Callable[[Index, Index], Float[Array, " images"]]  # takes the places of two runs
PIXELS = 2**21  # of the maps that are on the device at once
WINDOW_PIXELS = 362  # of the largest window whose sums, times its pixels, fit 32 bits


def similarities(
    groups: Sequence[StoredMaps],
    pairs: Sequence[tuple[int, int]],
    kind: SimilarityKind,
    window: int,
) -> tuple[Float[np.ndarray, "pairs images"], Int[np.ndarray, " runs"]]:
    """Return the similarity of each pair and image, and the number of constant maps of each run.

    Images go to the device in chunks of one shape, the last one filled up: one compilation.
    """
    Similarity(kind, window)  # raises for an unknown kind or window
    for maps in groups:
        if maps.dtype != np.uint8 or maps.ndim < 3:
            raise InputError(f"maps are {maps.dtype} {maps.shape}: give uint8 [run image *grid]")
    grid, images = groups[0].shape[2:], groups[0].shape[1]
    window = _fit(window, grid) if kind == "ssim" else 0
    runs = sum(len(maps) for maps in groups)
    size = max(1, min(images, PIXELS // (runs * prod(grid))))
    values = np.empty((len(pairs), images), np.float32)
    constant_map = np.zeros(runs, np.int64)
    chunk = np.zeros((runs, size, *grid), np.uint8)
    index = np.array(pairs, np.int32)
    for first in range(0, images, size):
        part = slice(first, min(first + size, images))
        filled = part.stop - first
        chunk[:, :filled] = np.concatenate([maps[:, part] for maps in groups])
        similarity, contrast = jax.device_get(_compare(chunk, index, kind, window))
        values[:, part] = similarity[:, :filled]
        constant_map += filled - contrast[:, :filled].sum(axis=1)
    return values, constant_map


def _fit(window: int, grid: tuple[int, ...]) -> int:
    fits = (min(window, *grid) - 1) // 2 * 2 + 1
    if fits < 3:
        raise InputError(f"no window of 3 to {window} pixels fits a grid of {grid}: use pearson")
    if fits ** len(grid) > WINDOW_PIXELS:
        raise InputError(f"a window of {fits} on a grid of {grid} is too large: give a smaller one")
    return fits


@partial(jax.jit, static_argnames=("kind", "window"))
def _compare(
    maps: UInt8[Array, "runs images *grid"],
    pairs: Int[Array, "pairs 2"],
    kind: SimilarityKind,
    window: int,
) -> tuple[Float[Array, "pairs images"], Bool[Array, "runs images"]]:
    axes = tuple(range(2, maps.ndim))
    contrast = maps.max(axis=axes) > maps.min(axis=axes)
    # Images last: the fastest axis is the longest one, whatever the grid.
    x = jnp.moveaxis(maps, 1, -1)
    similarity = _ssim(x, window) if kind == "ssim" else _correlation(x, kind == "spearman")

    def compare_pair(pair: Int[Array, "2"]) -> Float[Array, " images"]:
        i, j = pair
        return jnp.where(contrast[i] & contrast[j], similarity(i, j), jnp.nan)

    return lax.map(compare_pair, pairs), contrast


def _ssim(maps: UInt8[Array, "runs *grid images"], window: int) -> PairSimilarity:
    """Return the SSIM of two runs, as a function of their places.

    Sums over windows are integers, and exact. Each factor is one minus what takes it below one,
    the squared difference of means or the variance of the difference, so that equal maps have 1.
    """
    n, c1, c2 = window ** (maps.ndim - 2), 2.55**2, 7.65**2
    x = maps.astype(jnp.int32) - 128  # covariances see no offset, and the sums stay small
    windows = jax.vmap(partial(_window_sums, window=window))
    sums = windows(x)
    spread = n * windows(x * x) - sums * sums  # the variance, times n (n - 1)

    def similarity(i: Index, j: Index) -> Float[Array, " images"]:
        common = n * _window_sums(x[i] * x[j], window) - sums[i] * sums[j]
        # In order of size, as a compiler may fuse one of the squares with the sum, and round once.
        low, high = jnp.minimum(sums[i], sums[j]), jnp.maximum(sums[i], sums[j])
        a, b = _float32(low) / n + 128, _float32(high) / n + 128
        both = _float32(spread[i]) + _float32(spread[j])
        means = (_float32(sums[i] - sums[j]) / n) ** 2 / (a * a + b * b + c1)
        texture = (both - 2 * _float32(common)) / (both + n * (n - 1) * c2)
        lost = means + texture - means * texture
        return 1 - lost.mean(axis=tuple(range(lost.ndim - 1)))

    return similarity


def _float32(integers: Integer[Array, "..."]) -> Float[Array, "..."]:
    return integers.astype(jnp.float32)


def _window_sums(x: Int[Array, "*grid images"], window: int) -> Int[Array, "*windows images"]:
    for axis in range(x.ndim - 1):
        shape = tuple(window if i == axis else 1 for i in range(x.ndim))
        x = lax.reduce_window(x, np.int32(0), lax.add, shape, (1,) * x.ndim, "VALID")
    return x


def _correlation(maps: UInt8[Array, "runs *grid images"], ranked: bool) -> PairSimilarity:
    """Return the correlation of two runs, of values or of ranks, as a function of their places.

    For vectors of length one it is one minus half of their squared distance: equal maps have 1.
    """
    flat = maps.reshape(len(maps), -1, maps.shape[-1])
    x = jax.vmap(jax.vmap(_ranks, 1, 1))(flat) if ranked else _float32(flat)
    x = x - x.mean(axis=1, keepdims=True)
    x = x / jnp.sqrt((x * x).sum(axis=1, keepdims=True))

    def similarity(i: Index, j: Index) -> Float[Array, " images"]:
        return jnp.clip(1 - ((x[i] - x[j]) ** 2).sum(axis=0) / 2, -1, 1)

    return similarity


def _ranks(map: UInt8[Array, " pixels"]) -> Float[Array, " pixels"]:
    """Return the ranks of grey values, up to an offset; equal values share the mean of theirs."""
    counts = jnp.zeros(256, jnp.float32).at[map].add(1)
    return (jnp.cumsum(counts) - counts / 2)[map]
