"""Examples: what a sweep runs over, and images as examples of a classifier."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

from salix.data.content import source_identity
from salix.data.decode import fit
from salix.data.fitted import check_geometry, frame_of, is_fitted, packings
from salix.data.segments import ImageSegments, check_packed_segmentation
from salix.data.source import Source
from salix.preprocess import Preprocess
from salix.typing import Column


@runtime_checkable
class Examples(Protocol):
    """Examples in a fixed order, each a pytree of NumPy arrays of the same shapes and types.

    Ragged data (sentences, point sets) is padded here, with a mask or a length in the pytree. What
    the host knows of an example, such as a label, goes into its row through `columns` and
    `describe`, and never to the device.
    """

    @property
    def ids(self) -> Sequence[str]:
        """Stable ids, unique, in the order of the examples."""
        ...

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns that `describe` fills."""
        ...

    def load(self, index: int) -> Any:
        """Return one example; threads call this. Raises `Unreadable` with the reason."""
        ...

    def describe(self, index: int, example: Any | None) -> dict[str, Any]:
        """Return the values of `columns` for an example as loaded; None for one that was skipped.

        Values left out are missing.
        """
        ...

    def identity(self) -> dict[str, Any]:
        """Return, as JSON, everything beside ids and order that decides what `load` returns."""
        ...


@dataclass(frozen=True)
class ImageExamples:
    """The images of a source, decoded and resized: `pixels` and, where it has any, masks.

    `pixels` is 8-bit [h w c]. `reference_mask` is 8-bit [h w], zeros where an image has none, and
    None where the source has none at all. With a `segmentation`, `segments` is uint16 [levels h w].
    """

    source: Source
    to: Preprocess
    columns: tuple[Column, ...] = ()
    full_content: bool = False  # files count by all of their content, not by samples
    segmentation: Any = None
    segments: ImageSegments | None = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        segmentation = self.segmentation
        for packing in packings(self.source):
            check_geometry(packing, self.to)
            if segmentation is not None:
                check_packed_segmentation(segmentation)
        segments = None if segmentation is None else ImageSegments(segmentation, self.source.ids)
        object.__setattr__(self, "segments", segments)

    @property
    def ids(self) -> Sequence[str]:
        """Ids of the source."""
        return self.source.ids

    @property
    def example(self) -> dict[str, Any]:
        """Shapes and types of one example."""
        return image_example(
            self.to,
            reference_masks=self.source.has_reference_masks,
            segmentation=self.segmentation,
        )

    def load(self, index: int) -> dict[str, Any]:
        """Decode one image and its reference mask, and segment it."""
        image = self.source.read(index)
        mask = self._reference_mask(index, image)
        example = {"pixels": np.asarray(fit(image, self.to)), "reference_mask": mask}
        if self.segments is not None:
            example["segments"] = self.segments.load(index, image, self.to)
        return example

    def _reference_mask(self, index: int, image: Any) -> np.ndarray | None:
        if not self.source.has_reference_masks:
            return None
        mask = self.source.reference_mask(index)
        if mask is None:
            return np.zeros(self.to.size, np.uint8)
        return fit_reference_mask(mask, frame_of(image), self.to)

    def describe(self, index: int, example: Any | None) -> dict[str, Any]:
        """Return nothing: labels are a matter of the model's classes."""
        return {}

    def identity(self) -> dict[str, Any]:
        """Return the identity of the source, and how the content of its files counts."""
        full = self.full_content
        identity = {"content": "full" if full else "sampled"}
        masks = {} if self.segments is None else {"segments": self.segments.identity(full=full)}
        return identity | source_identity(self.source, full=full) | masks


def fit_reference_mask(mask: np.ndarray, frame: tuple[int, int], to: Preprocess) -> np.ndarray:
    """Fit the reference mask of an image of height and width `frame` as its pixels, [h w]."""
    if is_fitted(mask):  # with the pixels, whose geometry is compared
        return np.asarray(mask)
    grey = Preprocess(to.size, 1, fit=to.fit, resize=to.resize)
    if to.fit == "crop":  # the crop is of the image's own frame
        mask = np.asarray(fit(mask, Preprocess(frame, 1)))
    return np.asarray(fit(mask, grey))[..., 0]


def image_example(
    to: Preprocess, *, reference_masks: bool, segmentation: Any = None
) -> dict[str, Any]:
    """Return the shapes and types of one image's example, with a reference mask or None.

    It has `segments` only with a `segmentation`.
    """
    mask = jax.ShapeDtypeStruct(to.size, np.uint8) if reference_masks else None
    example = {
        "pixels": jax.ShapeDtypeStruct((*to.size, to.channels), np.uint8),
        "reference_mask": mask,
    }
    if segmentation is not None:
        shape = (segmentation.levels, *to.size)
        example["segments"] = jax.ShapeDtypeStruct(shape, np.uint16)
    return example
