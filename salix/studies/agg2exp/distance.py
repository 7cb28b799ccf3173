"""Attribution by distance from the explained region: neighbours have more of it by chance."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from salix.studies.agg2exp.aggregation import RegionTotals
from salix.typing import InputError

# Distances in voxels at which a shell ends; shell 0 is the explained region.
ENDS = np.array([0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 32])
SHELLS = len(ENDS) + 1


def distance_shells(inside: Bool[np.ndarray, "d h w"]) -> UInt8[np.ndarray, "d h w"]:
    """Return the shell of each voxel around a region, 0 inside.

    Distances are the largest of the three along the axes: fields of convolutions are cubes.
    """
    from scipy.ndimage import distance_transform_cdt

    distance: Any = distance_transform_cdt(~inside, "chessboard")
    return np.searchsorted(ENDS, distance).astype(np.uint8)


def shell_voxels(
    regions: Int[np.ndarray, "d h w"], shells: UInt8[np.ndarray, "d h w"], count: int
) -> Float[np.ndarray, "count shells"]:
    """Return the number of voxels of each region in each shell."""
    numbers = regions.astype(np.int64) * SHELLS + shells
    voxels = np.bincount(numbers.reshape(-1), minlength=count * SHELLS)
    return voxels.reshape(count, SHELLS).astype(np.float64)


def distance_lift(totals: RegionTotals) -> Float[np.ndarray, "targets regions"]:
    r"""Attribution of each region over that of other voxels as far from the target.

    $D_{tr} = \sum_{v \in r} |a_t(v)| / \sum_s n_{rs} \bar a_{ts}$ over shells s of distance from
    the target, with $n_{rs}$ the voxels of the region in a shell and $\bar a_{ts}$ the mean of
    $|a_t|$ over the other voxels of the shell; the target's own voxels are left out.

    Range [0, infinity]; 1 is chance, where lift is above 1 for any region near the target: a
    network's output depends on all that is near. Infinity where no other voxel has attribution, NaN
    for the target's own region, and for one without attribution or without others in its shells.
    Raises `InputError` for totals without distances.
    """
    if totals.near is None or totals.near_voxels is None:
        raise InputError("totals without sums by distance: take those of explain_scan")
    sums, voxels = totals.near[..., 1:], totals.near_voxels[..., 1:]
    other_sums = sums.sum(1, keepdims=True) - sums
    other_voxels = voxels.sum(1, keepdims=True) - voxels
    usable = (voxels > 0) & (other_voxels > 0)
    means = np.divide(other_sums, other_voxels, out=np.zeros_like(sums), where=usable)
    expected = (voxels * np.maximum(means, 0)).sum(-1)
    actual = np.where(usable, sums, 0).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return actual / expected
