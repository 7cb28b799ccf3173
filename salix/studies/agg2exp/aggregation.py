"""Aggregation of voxel attributions by region: mass, mean and lift."""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from salix.typing import AnyArray, InputError

Sign = Literal["absolute", "positive", "negative"]
SIGNS: tuple[Sign, ...] = ("absolute", "positive", "negative")


@dataclass(frozen=True)
class RegionTotals:
    """Sums of the attributions of targets over regions.

    `positive` and `negative` [targets regions] are the sums of max(a, 0) and of max(-a, 0);
    `voxels` [regions] are the numbers of voxels. Totals of disjoint parts of a scan add up. `near`
    are the sums of |a| and `near_voxels` the numbers of voxels by distance from the target.
    """

    positive: Float[np.ndarray, "targets regions"]
    negative: Float[np.ndarray, "targets regions"]
    voxels: Float[np.ndarray, " regions"]
    near: Float[np.ndarray, "targets regions shells"] | None = None
    near_voxels: Float[np.ndarray, "targets regions shells"] | None = None

    def part(self, sign: Sign = "absolute") -> Float[np.ndarray, "targets regions"]:
        """Return the sums of |a|, of its positive or of its negative part."""
        if sign not in SIGNS:
            raise InputError(f"sign {sign!r}: choose one of {', '.join(SIGNS)}")
        if sign == "absolute":
            return self.positive + self.negative
        return self.positive if sign == "positive" else self.negative

    def merge_regions(self, groups: Integer[AnyArray, " regions"]) -> "RegionTotals":
        """Return the totals of unions of regions; `groups` has the number of each one's union."""
        unions = np.eye(int(np.max(groups)) + 1)[np.asarray(groups)]
        near = [
            None if part is None else np.einsum("trs,ru->tus", part, unions)
            for part in (self.near, self.near_voxels)
        ]
        sums = (part @ unions for part in (self.positive, self.negative, self.voxels))
        return RegionTotals(*sums, *near)


def mass(totals: RegionTotals, sign: Sign = "absolute") -> Float[np.ndarray, "targets regions"]:
    r"""Share of a target's attribution in each region, $M_{tr} = \sum_{v \in r} \phi(a_t(v)) /
    \sum_v \phi(a_t(v))$ with $\phi$ the absolute value, the positive or the negative part.

    Range [0, 1]; rows add up to 1. NaN for a target without attribution, as an absent class.

    Chrabaszcz et al. (2025), arXiv:2407.16653.
    """
    sums = totals.part(sign)
    total = sums.sum(1, keepdims=True)
    return np.divide(sums, total, out=np.full_like(sums, np.nan), where=total > 0)


def mean(totals: RegionTotals, sign: Sign = "absolute") -> Float[np.ndarray, "targets regions"]:
    r"""Mean attribution of the voxels of each region, $\sum_{v \in r} \phi(a_t(v)) / |r|$.

    In units of the attribution. NaN for a region without voxels.
    """
    sums = totals.part(sign)
    size = np.broadcast_to(totals.voxels, sums.shape)
    return np.divide(sums, size, out=np.full_like(sums, np.nan), where=size > 0)


def lift(totals: RegionTotals, sign: Sign = "absolute") -> Float[np.ndarray, "targets regions"]:
    r"""Mass of each region over its share of the volume, $L_{tr} = M_{tr} \, V / |r|$.

    Range [0, V / |r|]; 1 where the region has as much attribution as a region of its size would
    have by chance. Mass alone grows with the size of a region. NaN where the mass is, and for a
    region without voxels.
    """
    shares = mass(totals, sign)
    size = np.broadcast_to(totals.voxels / totals.voxels.sum(), shares.shape)
    return np.divide(shares, size, out=np.full_like(shares, np.nan), where=size > 0)


def region_sums(
    attribution: Float[AnyArray, "d h w t"], regions: Integer[AnyArray, "d h w"], count: int
) -> Float[Array, "2 t count"]:
    """Return the sums of the positive and of the negative part of attributions in each region.

    One segment sum for all regions and targets.
    """
    a = jnp.asarray(attribution)
    parts = jnp.stack([jnp.maximum(a, 0), jnp.maximum(-a, 0)], -2)
    return sum_by_number(parts, regions, count).transpose(1, 2, 0)


def sum_by_number(
    values: Float[AnyArray, "d h w *k"], numbers: Integer[AnyArray, "d h w"], count: int
) -> Float[Array, "count *k"]:
    """Return the sums of the values of voxels with each number, 0 to count - 1.

    A segment is a number in one slice, and the slices are added after it: a running sum in float32
    over a million voxels loses four digits.
    """
    depth, rest = len(values), values.shape[3:]
    slices = jnp.arange(depth, dtype=numbers.dtype)[:, None, None] * count
    segments = (numbers + slices).reshape(-1)
    sums = jax.ops.segment_sum(values.reshape(-1, *rest), segments, depth * count)
    return sums.reshape(depth, count, *rest).sum(0)


def region_voxels(regions: Integer[AnyArray, "d h w"], count: int) -> Float[np.ndarray, " count"]:
    """Return the number of voxels of each region.

    Raises `InputError` for numbers of regions outside 0 to count - 1.
    """
    flat = np.asarray(regions).reshape(-1)
    low, high = int(flat.min()), int(flat.max())
    if low < 0 or high >= count:
        raise InputError(
            f"regions are numbered {low} to {high}: expected 0 to {count - 1}, for the {count} "
            "names of regions"
        )
    return np.bincount(flat, minlength=count).astype(np.float64)
