"""Segments of a word's image: patches, superpixels, connected strokes, and computed labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from salix.perturb.partition import Patches, Superpixels
from salix.typing import Image

PATCH = 11  # pixels: 3 x 12 patches of an image of 32 x 128
COUNT = 36  # of segments at most


@dataclass(frozen=True, eq=False)
class ImageLabels:
    """Partition by labels [h w] that may be traced, `segments` of them at most."""

    array: Any
    segments: int

    def count(self, shape: tuple[int, ...]) -> int:
        """Return the greatest number of segments."""
        del shape
        return self.segments

    def __call__(self, image: Image) -> Int[Array, "*space"]:
        return jnp.asarray(self.array)


def patch_labels(image: Float[np.ndarray, "h w 1"]) -> Int[np.ndarray, "h w"]:
    """Return square patches of 11 pixels, 36 of them."""
    return np.asarray(Patches(PATCH)(image))


def superpixel_labels(image: Float[np.ndarray, "h w 1"]) -> Int[np.ndarray, "h w"]:
    """Return superpixels by SLIC, 36 of them at most."""
    return np.asarray(Superpixels(COUNT, compactness=0.1)(image))


def stroke_labels(image: Float[np.ndarray, "h w 1"]) -> Int[np.ndarray, "h w"]:
    """Return the connected strokes of ink, each with the pixels nearest to it, 36 at most.

    Ink is on the rarer side of Otsu's threshold; the largest strokes stay where there are more.
    A constant image is one segment.
    """
    from scipy.ndimage import distance_transform_edt, label
    from skimage.filters import threshold_otsu

    levels = image[..., 0]
    if np.ptp(levels) == 0:
        return np.zeros(levels.shape, np.int32)
    ink = levels > threshold_otsu(levels)
    ink = ink if ink.mean() <= 0.5 else ~ink
    strokes: Any = label(ink, np.ones((3, 3)))[0]  # pyright: ignore[reportIndexIssue]
    sizes = np.bincount(strokes.ravel())
    sizes[0] = 0
    largest = np.argsort(-sizes, kind="stable")[: min(COUNT, (sizes > 0).sum())]
    seeds = np.isin(strokes, largest)
    nearest: Any = distance_transform_edt(~seeds, return_distances=False, return_indices=True)
    labels = strokes[tuple(nearest)]
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)


SEGMENTATIONS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {"patches": patch_labels, "superpixels": superpixel_labels, "strokes": stroke_labels}
)
