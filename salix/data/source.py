"""Sources of images: ids and labels, known before any image is read, and the images."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np


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


def wrapped(source: Any) -> Iterator[Any]:
    """Yield a source and those that it is made of, each before its own."""
    yield source
    for inner in dict(getattr(source, "sources", None) or {}).values():
        yield from wrapped(inner)
    if (inner := getattr(source, "source", None)) is not None:
        yield from wrapped(inner)


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
