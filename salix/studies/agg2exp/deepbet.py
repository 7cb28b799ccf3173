"""Input of deepbet: orientation, intensities and the box around the brain."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from salix.optional import import_extra
from salix.studies.agg2exp.scans import Scan
from salix.typing import InputError

BOX_SIDE, SIDE = 128, 256  # voxels of the cubes in which the box is found, and the brain
PERCENTILES = (0.5, 99.5)  # of intensities, to which they are clipped
MEAN, DEVIATION = 0.449, 0.226  # of scaled intensities, as of photographs in ImageNet
LEAST_SHARE = 0.02  # of a plane that is brain, for the plane to be in the box
MARGIN = 0.1  # of the size of the box, on either side

Cube = Float[np.ndarray, "s s s"]
FindBrain = Callable[[Cube], Bool[np.ndarray, "s s s"]]


def nearest_cube(array: np.ndarray, side: int) -> np.ndarray:
    """Return an array [d h w] on `side` points an axis, each with the voxel it lies in."""
    places = [(2 * np.arange(side) + 1) * n // (2 * side) for n in array.shape]
    return array[np.ix_(*places)]


def scale(volume: np.ndarray, low: float, high: float) -> Float[np.ndarray, "d h w"]:
    """Return a volume clipped to [low, high], with mean 0.449 and standard deviation 0.226."""
    x = np.clip((volume.astype(np.float64) - low) / (high - low), 0, 1)
    return (DEVIATION * (x - x.mean()) / x.std(ddof=1) + MEAN).astype(np.float32)


def largest_component(mask: Bool[np.ndarray, "d h w"]) -> Bool[np.ndarray, "d h w"]:
    """Return the largest set of voxels that touch at faces, edges or corners."""
    from scipy.ndimage import label

    parts: Any = label(mask, np.ones((3, 3, 3)))
    labels: np.ndarray = parts[0]
    sizes = np.bincount(labels.reshape(-1))
    return labels == 1 + int(np.argmax(sizes[1:])) if len(sizes) > 1 else mask


def brain_box(mask: Bool[np.ndarray, "s s s"], shape: tuple[int, ...]) -> tuple[slice, ...] | None:
    """Return the box of a brain in a volume of `shape`, from its mask in a cube; None without one.

    The box has the planes of which 2 % are brain, and a tenth of its size on either side.
    """
    box = []
    for axis, n in enumerate(shape):
        across = tuple(a for a in range(3) if a != axis)
        planes = np.flatnonzero(mask.mean(across) > LEAST_SHARE)
        if not len(planes):
            return None
        # float32, whose rounding decides some borders
        ratio = np.float32(n) / np.float32(mask.shape[axis])
        centre = np.rint(ratio * np.float32((planes[-1] + 1 + planes[0]) / 2))
        size = np.rint(np.float32(1 + 2 * MARGIN) * (ratio * np.float32(np.ptp(planes) + 1)))
        box.append(slice(max(0, int(centre - size / 2)), min(n, int(centre + size / 2))))
    return tuple(box)


def deepbet_input(scan: Scan, find: FindBrain, *, side: int = SIDE) -> Scan:
    """Return a whole-head T1 scan as deepbet expects it: the box of the brain, in a cube of 256.

    Axes are put in the order right, anterior, superior; intensities are clipped to their 0.5th and
    99.5th percentile; `find` returns the brain in a cube of 128 voxels a side, around which the box
    is cut. Voxels of the cubes are the nearest ones, as in the release. Raises `InputError` where
    99 % of the voxels are equal, and where no brain is in the volume.
    """
    orientations = import_extra("nibabel", "nibabel", "volumes").orientations
    turn = orientations.io_orientation(scan.affine)
    image = orientations.apply_orientation(scan.volume[..., 0], turn)
    affine = scan.affine @ orientations.inv_ornt_aff(turn, scan.volume.shape[:3])
    small = nearest_cube(image, BOX_SIDE)
    low, high = (float(v) for v in np.percentile(small, PERCENTILES))
    if low == high:
        raise InputError(
            f"{scan.name}: 99 % of the voxels are {low:g}: give a T1 scan with its whole head"
        )
    box = brain_box(largest_component(find(scale(small, low, high))), image.shape)
    if box is None:
        raise InputError(
            f"{scan.name}: deepbet finds no brain: give a T1 scan of a whole head, with the "
            "directions of its axes in the affine matrix"
        )
    part = image[box]
    steps = np.array(part.shape) / side
    grid = np.diag([*steps, 1.0])
    grid[:3, 3] = [s.start for s in box] + steps / 2 - 0.5  # the centre of the first voxel
    labels = None
    if scan.labels is not None:
        labels = nearest_cube(orientations.apply_orientation(scan.labels, turn)[box], side)
    volume = scale(nearest_cube(part, side), low, high)
    return Scan(scan.name, volume[..., None], affine @ grid, labels)
