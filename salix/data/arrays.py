"""Source of images in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from salix.data.class_labels import plain_labels
from salix.data.content import arrays_digest
from salix.data.memory_images import plain_images
from salix.data.source import group_name
from salix.typing import InputError


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images in memory: [n h w 3] or [n h w] of 8 bits, or what has one reading as such.

    Lists of images, JAX arrays, PyTorch tensors, Pillow images, real values from 0 to 1, channels
    first and RGBA are taken as the table of `salix.data.memory_images` says; `images` are the 8-bit
    ones afterwards. Raises `InputError` for anything else.

    Ids are the positions, or `keys`; `names` are the classes, as names or as indices of the model's
    classes in any sequence or array, None where unknown. `reference_masks` has one mask [h w]
    or None for each image, `groups` the name or number of its group of dependent images, or None.
    """

    images: Any
    names: Any = None
    keys: Sequence[str] | None = None
    reference_masks: Sequence[np.ndarray | None] | np.ndarray | None = None
    groups: Any = None
    ids: Sequence[str] = field(init=False, repr=False)

    def __post_init__(self):
        options = {"names": self.names, "keys": self.keys, "reference masks": self.reference_masks}
        options["groups"] = self.groups
        counts = {len(values) for values in options.values() if values is not None}
        images = plain_images(self.images, count=counts.pop() if len(counts) == 1 else None)
        n = len(images)
        for option, values in options.items():
            if values is not None and len(values) != n:
                raise InputError(f"{len(values)} {option} for {n} images: give one for each")
        if self.keys is not None and len(set(self.keys)) < n:
            raise InputError("keys are repeated: each image needs an id of its own")
        ids = [f"{i:08d}" for i in range(n)] if self.keys is None else list(self.keys)
        names = None if self.names is None else plain_labels(self.names)
        groups = [None] * n if self.groups is None else [group_name(g) for g in self.groups]
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "groups", groups)

    @property
    def has_reference_masks(self) -> bool:
        """Whether any image has a reference mask."""
        return self.reference_masks is not None

    @property
    def labels(self) -> Sequence[str | int | None]:
        """The names."""
        return self.names or [None] * len(self.images)

    def read(self, index: int) -> Any:
        """Return one image as it is."""
        return np.asarray(self.images[index])

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Return the reference mask of one image."""
        return None if self.reference_masks is None else self.reference_masks[index]

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Digests of the bytes of images and reference masks."""
        del full  # always
        images = {"images": arrays_digest(self.images)}
        if self.reference_masks is None:
            return images
        return images | {"reference_masks": arrays_digest(self.reference_masks)}
