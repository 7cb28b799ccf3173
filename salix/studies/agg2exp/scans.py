"""Scans to explain: checks, NIfTI files and the input of deepbrain."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from salix.optional import import_extra
from salix.typing import InputError

LARGEST_ANISOTROPY = 2.0  # longest over shortest side of a voxel
LEAST_SIDE = 16  # voxels
MOST_LABELS = 2000


@dataclass(frozen=True)
class Scan:
    """A volume [d h w c] with its affine matrix, and labels [d h w] where there are any."""

    name: str
    volume: Float[np.ndarray, "d h w c"]
    affine: Float[np.ndarray, "4 4"]
    labels: Int[np.ndarray, "d h w"] | None = None


def check_volume(name: str, volume: np.ndarray, affine: np.ndarray | None = None) -> None:
    """Raise `InputError` for a volume that cannot be explained, with what to do.

    One with other axes than three of space and one of channels, with NaN or infinite voxels, a
    constant one, one of fewer than 16 voxels along an axis, and one whose voxels are more than
    twice as long as wide.
    """
    if volume.ndim != 4:
        raise InputError(
            f"{name}: an array of shape {volume.shape[:-1]}: expected three axes of space; choose "
            "one volume of a series"
        )
    broken = volume.size - int(np.isfinite(volume).sum())
    if broken:
        raise InputError(
            f"{name}: {broken} of {volume.size} voxels are NaN or infinite: replace them, for "
            "example numpy.nan_to_num(volume) where they are outside the scanner's field of view"
        )
    if min(volume.shape[:3]) < LEAST_SIDE:
        raise InputError(
            f"{name}: {' x '.join(map(str, volume.shape[:3]))} voxels are too few to segment: "
            f"expected {LEAST_SIDE} along each axis; resample it to a finer grid"
        )
    if volume.min() == volume.max():
        raise InputError(f"{name}: all voxels are {volume.flat[0]:g}: the file has no image")
    if affine is not None:
        sides = np.linalg.norm(affine[:3, :3], axis=0)
        if sides.min() <= 0 or sides.max() / sides.min() > LARGEST_ANISOTROPY:
            raise InputError(
                f"{name}: voxels of {' x '.join(f'{s:.3g}' for s in sides)} mm: organs would be "
                "flattened for the network; resample it to cubes, for example with "
                "nibabel.processing.resample_to_output(image, [1.5] * 3)"
            )


def check_labels(name: str, labels: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise `InputError` for labels of another shape than the volume, or that are not integers."""
    if labels.shape != tuple(shape[:3]):
        raise InputError(
            f"{name}: labels of {labels.shape} voxels for a volume of {tuple(shape[:3])}: expected "
            "one label for each voxel; resample them to the grid of the volume"
        )
    if not np.array_equal(labels, np.rint(labels)) or labels.min() < 0:
        raise InputError(
            f"{name}: labels are not whole numbers from 0 on: give a label map, resampled with the "
            "nearest neighbour"
        )


def read_nifti(path: str | Path, labels: str | Path | None = None) -> Scan:
    """Return the scan of a NIfTI file, and the labels of another one.

    Needs nibabel: `pip install 'salix[volumes]'`. Raises `InputError` for a file that cannot be
    read and as `check_volume` and `check_labels` do.
    """
    image, affine = _read(path)
    volume = image[..., None]
    check_volume(str(path), volume, affine)
    known = None
    if labels is not None:
        array, other = _read(labels)
        check_labels(str(labels), array, image.shape)
        if not np.allclose(affine, other, atol=1e-2):
            raise InputError(
                f"{labels}: another affine matrix than {path}: the labels are of another place; "
                "resample them to the grid of the volume"
            )
        known = array.astype(np.int32)
    return Scan(Path(path).name.split(".nii")[0], volume, affine, known)


def label_numbers(paths: Sequence[str | Path]) -> tuple[int, ...]:
    """Return the numbers in NIfTI label maps, and 0, without those of files that are not readable.

    Raises `InputError` for more than 2,000 numbers, as an image has in place of a label map.
    """
    numbers = {0}
    for path in paths:
        try:
            array, _ = _read(path)
            check_labels(str(path), array, array.shape)
        except InputError:
            continue  # the scan is skipped with the reason when it is read
        numbers |= {int(n) for n in np.unique(array)}
        if len(numbers) > MOST_LABELS:
            raise InputError(
                f"{path}: more than {MOST_LABELS} numbers: an image, where a label map was expected"
            )
    return tuple(sorted(numbers))


def write_nifti(path: str | Path, array: np.ndarray, affine: np.ndarray) -> Path:
    """Write an array [d h w] as a NIfTI file, floats as float32 and integers as int16."""
    nibabel = import_extra("nibabel", "nibabel", "volumes")
    dtype = np.float32 if array.dtype.kind == "f" else np.int16
    nibabel.save(nibabel.Nifti1Image(array.astype(dtype), affine), str(path))
    return Path(path)


def _read(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    nibabel = import_extra("nibabel", "nibabel", "volumes")
    if not Path(path).is_file():
        kind = "a folder, not a file" if Path(path).is_dir() else "no such file"
        raise InputError(f"{path}: {kind}: give NIfTI files, such as head.nii.gz")
    try:
        image: Any = nibabel.load(str(path))
        array = np.squeeze(np.asarray(image.dataobj, np.float32))
        return array, np.asarray(image.affine, np.float64)
    except Exception as error:  # nibabel has no common base of its errors
        first_line = str(error).strip().split("\n")[0]
        raise InputError(f"{path}: not a NIfTI file, or damaged ({first_line})") from None


def cube(array: np.ndarray, side: int = 128) -> Float[np.ndarray, "s s s"]:
    """Return an array [d h w] on a grid of `side` points an axis, linear, with the same ends."""
    from scipy.ndimage import zoom

    return np.asarray(zoom(array.astype(np.float32), [side / n for n in array.shape], order=1))


def label_cube(labels: np.ndarray, side: int = 128) -> Int[np.ndarray, "s s s"]:
    """Return labels [d h w] on a grid of `side` points an axis, by the nearest neighbour."""
    from scipy.ndimage import zoom

    return np.asarray(zoom(labels.astype(np.int32), [side / n for n in labels.shape], order=0))


def deepbrain_input(scan: Scan) -> Scan:
    """Return a whole-head T1 scan as deepbrain expects it: a cube of 128, divided by its maximum.

    The release resamples with scikit-image, whose grid of the same size is half a voxel apart.
    Raises `InputError` for a scan without a voxel above 0.
    """
    if scan.volume.max() <= 0:
        raise InputError(f"{scan.name}: no voxel is above 0: give a T1 scan as it was taken")
    image = cube(scan.volume[..., 0])
    steps = [(n - 1) / (len(image) - 1) for n in scan.volume.shape[:3]]
    labels = None if scan.labels is None else label_cube(scan.labels)
    affine = scan.affine @ np.diag([*steps, 1.0])
    return Scan(scan.name, (image / image.max())[..., None], affine, labels)
