"""Segments that the user gives: label images or masks, one set for each image."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from salix import hyperparameters as hp
from salix.perturb.segment_labels import SIDE, LabelLevels
from salix.typing import InputError


@dataclass(frozen=True, eq=False)
class UserMasks:
    """Segments of the user, in the place of a segmentation of the pixels.

    `masks` is a folder of files named by the ids of their images, as reference masks are: label
    images (8 or 16-bit grey, or the indices of a palette) or .npy files. In Python it may also be a
    mapping from ids, or one item for each image in order. An item is an array of labels [h w] or
    [levels h w], or bool masks [n h w], which may overlap, or None.

    Label i is segment i of every image, from 1 to `count`; 0 is no segment, and mask j has the
    label j + 1. An item shows the whole image, at any size: it is stretched to 224 x 224 by its
    nearest pixels. Overlapping masks are laid out on `levels` levels. An image without an item has
    no segment. Runs know the masks by their content, not by their place.
    """

    masks: Any = field(repr=False, metadata={"described": False})
    count: int = 64
    levels: int = 1

    def __post_init__(self) -> None:
        hp.check_fields(self, count=hp.integer(1, 2**16 - 1), levels=hp.integer(1))

    def labels(self, item: Any) -> LabelLevels:
        """Return one image's labels or masks as labels of 224 x 224; None is no segment.

        Raises `InputError` for labels beyond `count`, and for more levels than `levels`.
        """
        if item is None:
            return np.zeros((self.levels, SIDE, SIDE), np.uint16)
        array = np.asarray(item)
        array = array[None] if array.ndim == 2 else array
        if array.ndim != 3 or 0 in array.shape or array.dtype.kind not in "bui":
            raise InputError(
                f"segments of type {array.dtype} and shape {list(array.shape)}: give labels [h w] "
                "or [levels h w], or bool masks [n h w]"
            )
        if array.dtype == bool:
            array = self._laid_out(array)
        if array.min() < 0 or array.max() > self.count:
            raise InputError(
                f"segments have labels from {array.min()} to {array.max()}: give labels from 0, no "
                f"segment, to {self.count}, or UserMasks(..., count={max(1, array.max())})"
            )
        if len(array) > self.levels:
            raise InputError(
                f"segments have {len(array)} levels, expected {self.levels}: give "
                f"UserMasks(..., levels={len(array)})"
            )
        present = [n for level in array for n in np.unique(level[level > 0])]
        if len(present) > len(set(present)):
            label = next(n for n in present if present.count(n) > 1)
            raise InputError(
                f"segments have label {label} on several levels: give each segment one of its own"
            )
        rows, columns = (((np.arange(SIDE) + 0.5) * n / SIDE).astype(int) for n in array.shape[1:])
        labels = np.zeros((self.levels, SIDE, SIDE), np.uint16)
        labels[: len(array)] = array[:, rows[:, None], columns]
        return labels

    def _laid_out(self, masks: np.ndarray) -> np.ndarray:
        """Return masks as labels on levels, each on the first where it overlaps no other."""
        levels: list[np.ndarray] = []
        for label, mask in enumerate(masks, 1):
            level = next((x for x in levels if not x[mask].any()), None)
            if level is None:
                levels.append(level := np.zeros(mask.shape, np.int64))
            level[mask] = label
        return np.stack(levels)
