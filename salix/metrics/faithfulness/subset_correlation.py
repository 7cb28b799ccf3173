"""Correlation between attributions of random subsets of features and effects of their removal."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from salix.hyperparameters import check_value, integer, number, several
from salix.metrics.faithfulness.correlation import correlate, correlate_ranks
from salix.metrics.faithfulness.curves import Curve, Fractions, trapezoid_mean
from salix.metrics.faithfulness.ranking import is_ranked
from salix.metrics.faithfulness.replacement import Replacement, replacement_image
from salix.metrics.faithfulness.segments import (
    attribute_segments,
    label_segments,
    scan_batches,
    segment_sums,
)
from salix.metrics.presets import choose_options
from salix.perturb.partition import Grid, Partition, Patches
from salix.precision import widen
from salix.typing import AnyArray, GridMap, Image, Index, PRNGKey, Scalar, ScoreLike

SHARE = number(lambda n: 0 < n <= 1, remedy="give a share of the features, in (0, 1]")
SHARES = several(SHARE, remedy="give shares of the features, in (0, 1]")
SAMPLES = integer(2)
_SIZES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
ANCONA: Mapping[str, Mapping[str, Any]] = {
    "paper": {"partition": Patches(1), "fractions": _SIZES, "samples": 100, "fill": 0.0},
}
# Quantus removes 224 features, of the 224 x 224 pixels of an image, by its lowest value.
BHATT: Mapping[str, Mapping[str, Any]] = {
    "paper": {"partition": Patches(1), "fraction": 0.2, "samples": 100, "fill": "mean"},
    "quantus": {"partition": Patches(1), "fraction": 1 / 224, "samples": 100, "fill": "minimum"},
}
_FEL = {"partition": Grid(9), "fraction": 0.2, "samples": 200, "fill": 0.0}
FEL: Mapping[str, Mapping[str, Any]] = {"paper": _FEL, "xplique": _FEL}


def sensitivity_n(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    *,
    preset: str = "paper",
    partition: Partition | None = None,
    fractions: Fractions | None = None,
    samples: int | None = None,
    fill: Replacement | None = None,
    chunk: int = 1,
) -> Curve:
    r"""Correlation of attributions and effects over random subsets of n features (sensitivity-n).

    For each n, a share of the features in `fractions`: the Pearson correlation of
    $\sum_{i \in S} a_i$ and $f(x) - f(x_S)$ over `samples` random subsets S of n features, which
    `fill` replaces in $x_S$. In [-1, 1]; higher is better, 1 for attributions whose sums are the
    effects. The area is the trapezoid's mean over the range of the fractions. Features are the
    segments of `partition`, by default pixels with all their channels; an attribution [*space c] is
    summed over channels. The subsets are random as in the paper: Quantus correlates over growing
    sets of the most relevant features instead, which rewards any positive map.

    Of the explained score. Subsets depend on the key alone. Passes: fractions times samples, and
    one; 701 by default, whatever the partition, scanned, `chunk` of them in one batch. NaN where
    the map is constant or not finite, and where all effects of a size are equal. Raises
    `InputError` for unusable options and a map that does not fit.

    Ancona et al. (2018), arXiv:1711.06104, sec. 3.3.
    """
    chosen = choose_options(
        "sensitivity_n", preset, ANCONA, partition=partition, fractions=fractions,
        samples=samples, fill=fill,
    )  # fmt: skip
    shares = check_value("fractions", chosen.pop("fractions"), SHARES)
    sums, effects = remove_subsets(score, image, map, key, shares, chunk=chunk, **chosen)
    values = jax.vmap(correlate)(sums, effects, jnp.ones(sums.shape, bool))
    values = jnp.where(is_ranked(map), values, jnp.nan)
    return Curve(jnp.asarray(shares, values.dtype), values, trapezoid_mean(values, shares))


def faithfulness_correlation(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    *,
    preset: str = "paper",
    partition: Partition | None = None,
    fraction: float | int | None = None,
    samples: int | None = None,
    fill: Replacement | None = None,
    chunk: int = 1,
) -> Scalar:
    r"""Correlation of attributions and effects over random subsets of one size.

    Pearson correlation of $\sum_{i \in S} a_i$ and $f(x) - f(x_S)$ over `samples` random subsets S
    of the share `fraction` of the features, replaced by `fill`. In [-1, 1]; higher is better.
    `preset` "paper" replaces a fifth of the pixels by each channel's mean; "quantus" one in 224 by
    the lowest value of the image. Passes: samples + 1. Score, features, key, NaN and errors as
    `sensitivity_n`.

    Bhatt, Weller and Moura (2020), arXiv:2005.00631, sec. 3.3.
    """
    chosen = choose_options(
        "faithfulness_correlation", preset, BHATT, partition=partition, fraction=fraction,
        samples=samples, fill=fill,
    )  # fmt: skip
    share = check_value("fraction", chosen.pop("fraction"), SHARE)
    sums, effects = remove_subsets(score, image, map, key, (share,), chunk=chunk, **chosen)
    value = correlate(sums[0], effects[0], jnp.ones(sums[0].shape, bool))
    return jnp.where(is_ranked(map), value, jnp.nan)


def mu_fidelity(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    *,
    preset: str = "paper",
    partition: Partition | None = None,
    fraction: float | int | None = None,
    samples: int | None = None,
    fill: Replacement | None = None,
    chunk: int = 1,
) -> Scalar:
    r"""Rank correlation of attributions and effects over random subsets of a grid ($\mu$-fidelity).

    As `faithfulness_correlation`, with Spearman's correlation, over `samples` subsets of the share
    `fraction` of the blocks of a grid, replaced by `fill`: 200 subsets of a fifth of 9 x 9 blocks,
    by 0, in `preset` "paper" and "xplique" alike. In [-1, 1]; higher is better. Passes: samples +
    1. Score, key, NaN and errors as `sensitivity_n`.

    Fel et al. (2021), arXiv:2111.04138, after Bhatt, Weller and Moura (2020), arXiv:2005.00631.
    """
    chosen = choose_options(
        "mu_fidelity", preset, FEL, partition=partition, fraction=fraction, samples=samples,
        fill=fill,
    )  # fmt: skip
    share = check_value("fraction", chosen.pop("fraction"), SHARE)
    sums, effects = remove_subsets(score, image, map, key, (share,), chunk=chunk, **chosen)
    value = correlate_ranks(sums[0], effects[0], jnp.ones(sums[0].shape, bool))
    return jnp.where(is_ranked(map), value, jnp.nan)


def remove_subsets(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    shares: Fractions,
    *,
    partition: Partition,
    samples: int,
    fill: Replacement,
    chunk: int,
) -> tuple[Array, Array]:
    """Return attributions and effects of random subsets of each share, [shares samples] each.

    Only the attributions depend on the map: under `vmap` over maps the score is evaluated once.
    """
    check_value("samples", samples, SAMPLES)
    labels, count = label_segments(image, partition)
    fill_key, subset_key = jax.random.split(key)
    replacement = replacement_image(fill, score, image, fill_key)
    attributions = attribute_segments(map, labels, count)
    is_segment = segment_sums(jnp.ones_like(labels), labels, count) > 0
    segments = is_segment.sum(dtype=jnp.int32)
    start = widen(score(image))

    def remove(draw: tuple[Array, Array]) -> tuple[Array, Array]:
        draw_key, share = draw
        size = jnp.clip(jnp.rint(share * segments.astype(share.dtype)), 1).astype(jnp.int32)
        chosen = draw_subset(draw_key, size, is_segment)
        removed = jnp.where(chosen[labels][..., None], replacement, image)
        return jnp.where(chosen, attributions, 0).sum(), start - widen(score(removed))

    keys = jax.random.split(subset_key, len(shares) * samples)
    draws = keys, jnp.asarray(np.repeat(shares, samples), jnp.float32)
    sums, effects = scan_batches(remove, draws, chunk)
    shape = len(shares), samples
    return sums.astype(effects.dtype).reshape(shape), effects.reshape(shape)


def draw_subset(key: PRNGKey, size: Index, is_segment: Bool[AnyArray, " n"]) -> Bool[Array, " n"]:
    """Return a mask of exactly `size` random segments among those that have pixels."""
    bits = jax.random.bits(key, is_segment.shape, jnp.uint32) >> 1
    bits = jnp.where(is_segment, bits, jnp.uint32(2**32 - 1))

    def refine(i: Array, value: Array) -> Array:
        raised = value | (jnp.uint32(2**31) >> i.astype(jnp.uint32))
        return jnp.where((bits < raised).sum(dtype=jnp.int32) < size, raised, value)

    # The number of rank `size`, bit by bit: ten times faster than a sort on the CPU.
    last = jax.lax.fori_loop(0, 32, refine, jnp.uint32(0))
    below, equal = bits < last, bits == last
    ties = jnp.cumsum(equal, dtype=jnp.int32)
    return below | (equal & (ties <= size - below.sum(dtype=jnp.int32)))
