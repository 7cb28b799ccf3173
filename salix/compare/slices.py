"""Sets of images for which a comparison is recomputed: quadrants of two models, and slices."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

QUADRANTS = ("both right", "only A", "only B", "neither")
MOST_VALUES = 30  # of a metadata column; one with more names images and not kinds of images


@dataclass(frozen=True, eq=False)
class ImageSlice:
    """Images with one value of a metadata column: `images` is a mask over all images."""

    column: str
    value: str
    images: np.ndarray

    @property
    def name(self) -> str:
        """Column and value, as in a list of filters."""
        return f"{self.column} = {self.value}"

    @property
    def count(self) -> int:
        """Number of images."""
        return int(self.images.sum())


def quadrant_masks(
    labels: np.ndarray, correct_a: np.ndarray, correct_b: np.ndarray
) -> dict[str, np.ndarray]:
    """Masks `[images]` of the four quadrants by name: both right, only A, only B, neither.

    `correct_a` and `correct_b` flag the images that each model classifies as labelled. An image
    without a label (-1) is in none.
    """
    known = np.asarray(labels) >= 0
    a, b = (np.asarray(x, bool) for x in (correct_a, correct_b))
    masks = (a & b, a & ~b, ~a & b, ~a & ~b)
    return {name: known & mask for name, mask in zip(QUADRANTS, masks, strict=True)}


def metadata_slices(
    metadata: Mapping[str, np.ndarray],
) -> tuple[tuple[ImageSlice, ...], tuple[str, ...]]:
    """Slices of all columns of `metadata` (values `[images]`), and notes on those without any.

    A column has a slice for each of its values, in order, if these are 2 to 30. A missing value
    (None, NaN, "", and -1 in the column `label`) is in no slice.
    """
    slices: list[ImageSlice] = []
    notes: list[str] = []
    for column, values in metadata.items():
        texts = np.array([_text(v, column) for v in np.asarray(values, object)], object)
        names = sorted(
            {t for t in texts if t}, key=lambda t: (len(t), t) if t.isdigit() else (99, t)
        )
        if len(names) > MOST_VALUES:
            notes.append(
                f"The column {column} has {len(names)} values, more than {MOST_VALUES}, and so no "
                "slices: give --metadata a table with a coarser column"
            )
        elif len(names) > 1:
            slices += [ImageSlice(column, name, texts == name) for name in names]
    return tuple(slices), tuple(notes)


def _text(value: object, column: str) -> str:
    if value is None or value != value or (column == "label" and value == -1):
        return ""
    return str(value)
