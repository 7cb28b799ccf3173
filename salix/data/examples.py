"""Examples: what a sweep runs over, and images as examples of a classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

from salix.data.content import source_identity
from salix.data.decode import fit
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
    None where the source has none at all.
    """

    source: Source
    to: Preprocess
    columns: tuple[Column, ...] = ()
    full_content: bool = False  # files count by all of their content, not by samples

    @property
    def ids(self) -> Sequence[str]:
        """Ids of the source."""
        return self.source.ids

    @property
    def example(self) -> dict[str, Any]:
        """Shapes and types of one example."""
        return image_example(self.to, reference_masks=self.source.has_reference_masks)

    def load(self, index: int) -> dict[str, Any]:
        """Decode one image and its reference mask."""
        image = self.source.read(index)
        pixels = np.asarray(fit(image, self.to))
        if not self.source.has_reference_masks:
            return {"pixels": pixels, "reference_mask": None}
        mask = self.source.reference_mask(index)
        if mask is None:
            return {"pixels": pixels, "reference_mask": np.zeros(self.to.size, np.uint8)}
        grey = Preprocess(self.to.size, 1, fit=self.to.fit, resize=self.to.resize)
        if self.to.fit == "crop":  # the crop is of the image's own frame
            frame = image.shape[:2] if isinstance(image, np.ndarray) else image.size[::-1]
            mask = fit(mask, Preprocess(frame, 1))
        mask = np.asarray(fit(mask, grey))[..., 0]
        return {"pixels": pixels, "reference_mask": mask}

    def describe(self, index: int, example: Any | None) -> dict[str, Any]:
        """Return nothing: labels are a matter of the model's classes."""
        return {}

    def identity(self) -> dict[str, Any]:
        """Return the identity of the source, and how the content of its files counts."""
        content = "full" if self.full_content else "sampled"
        return {"content": content, **source_identity(self.source, full=self.full_content)}


def image_example(to: Preprocess, *, reference_masks: bool) -> dict[str, Any]:
    """Return the shapes and types of one image's example, with a reference mask or None."""
    mask = jax.ShapeDtypeStruct(to.size, np.uint8) if reference_masks else None
    return {
        "pixels": jax.ShapeDtypeStruct((*to.size, to.channels), np.uint8),
        "reference_mask": mask,
    }
