"""Sources of images: ids and labels, known before any image is read, and the images."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from salix.data.class_labels import plain_labels
from salix.data.content import arrays_digest
from salix.typing import InputError


@runtime_checkable
class Source(Protocol):
    """Images in a fixed order, each with a stable id and, where known, the name of its class."""

    @property
    def ids(self) -> Sequence[str]:
        """Stable ids, unique, in the order of the images."""
        ...

    @property
    def labels(self) -> Sequence[str | int | None]:
        """Name of each image's class or its index among the model's, None where unknown."""
        ...

    @property
    def groups(self) -> Sequence[str | None]:
        """Name of each image's group, None where unknown.

        Images of one group are not independent: frames of a video, crops of an identity.
        """
        ...

    @property
    def has_reference_masks(self) -> bool:
        """Whether images come with reference masks."""
        ...

    def read(self, index: int) -> Any:
        """Return one image as Pillow image or 8-bit array; raises `Unreadable`."""
        ...

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Return the reference mask of one image, 8-bit grey [h w], or None."""
        ...

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Return, as JSON, everything beside ids and labels that decides pixels and masks.

        Arrays count by their bytes, files by size and sampled content (all of it if `full`), see
        `salix.data.content`. No folder is named: data that moved are the same data. A file that
        cannot be read counts as "unreadable".
        """
        ...


def id_hash(id: str) -> int:
    """Return 32 bits of the sha256 of an id, for random keys and choices of images."""
    return int.from_bytes(hashlib.sha256(id.encode()).digest()[:4], "big")


def group_name(value: Any) -> str | None:
    """Return the text of a group's name or number; None where it is None, NaN or empty."""
    plain = value.item() if hasattr(value, "item") else value
    if plain is None or plain != plain:
        return None
    if isinstance(plain, float) and plain.is_integer():  # numbers beside missing ones are floats
        plain = int(plain)
    return str(plain).strip() or None


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images in memory: 8-bit [n h w], [n h w 1] or [n h w 3], or a sequence of such images.

    Ids are the positions, or `keys`; `names` are the classes, as names or as indices of the model's
    classes in any sequence or array, None where unknown. `reference_masks` has one mask [h w]
    or None for each image, `groups` the name or number of its group of dependent images, or None.
    """

    images: Sequence[np.ndarray] | np.ndarray
    names: Any = None
    keys: Sequence[str] | None = None
    reference_masks: Sequence[np.ndarray | None] | None = None
    groups: Any = None
    ids: Sequence[str] = field(init=False, repr=False)

    def __post_init__(self):
        n = len(self.images)
        if n == 0:
            raise InputError("no image given: the array is empty")
        options = {"names": self.names, "keys": self.keys, "reference masks": self.reference_masks}
        options["groups"] = self.groups
        for option, values in options.items():
            if values is not None and len(values) != n:
                raise InputError(f"{len(values)} {option} for {n} images: give one for each")
        if self.keys is not None and len(set(self.keys)) < n:
            raise InputError("keys are repeated: each image needs an id of its own")
        ids = [f"{i:08d}" for i in range(n)] if self.keys is None else list(self.keys)
        names = None if self.names is None else plain_labels(self.names)
        groups = [None] * n if self.groups is None else [group_name(g) for g in self.groups]
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
