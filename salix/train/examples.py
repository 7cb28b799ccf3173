"""Training examples: images, labels, ids and reference masks, in memory or streamed."""

import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from salix.data import Source
from salix.data.class_labels import class_indices
from salix.preprocess import Preprocess
from salix.train.decoded import decode
from salix.train.exchange import exchange, is_first
from salix.train.streamed import PixelsAndMasks, Positions, Reordered, Streamed, pick
from salix.typing import InputError


@dataclass(frozen=True, eq=False)
class TrainingImages:
    """Pixels [n h w c] and reference masks [n *grid], 8-bit, with the index of each image's class.

    A reference mask of zeros means that the image has none. Ids are the positions by default.
    Raises `InputError` for arrays of different lengths, and for repeated ids.
    """

    pixels: np.ndarray
    labels: np.ndarray
    reference_masks: np.ndarray | None = None
    ids: Sequence[str] = ()

    def __post_init__(self):
        n = len(self.pixels)
        ids = tuple(self.ids) or tuple(f"{i:08d}" for i in range(n))
        fields = {"labels": self.labels, "reference masks": self.reference_masks, "ids": ids}
        for name, values in fields.items():
            if values is not None and len(values) != n:
                raise InputError(f"{len(values)} {name} for {n} images: give one for each")
        for name, pixels in (("images", self.pixels), ("reference masks", self.reference_masks)):
            if pixels is not None and pixels.dtype != np.uint8:
                raise InputError(f"{name} of type {pixels.dtype}: give 8-bit values, uint8")
        if len(set(ids)) < n:
            raise InputError("ids are repeated: each image needs one of its own")
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "labels", np.asarray(self.labels, np.int32))

    def take(self, positions: Positions) -> Iterator[PixelsAndMasks]:
        """Yield the pixels and reference masks of each batch."""
        masks = self.reference_masks
        for indices in positions:
            yield self.pixels[indices], None if masks is None else masks[indices]

    def subset(self, indices: np.ndarray) -> "TrainingImages":
        """Return the examples at positions."""
        masks = None if self.reference_masks is None else self.reference_masks[indices]
        ids = pick(self.ids, indices)
        return TrainingImages(self.pixels[indices], self.labels[indices], masks, ids)

    def fingerprint(self) -> str:
        """Return a sha256 of ids, pixels, labels and reference masks."""
        digest = hashlib.sha256("\n".join(self.ids).encode())
        for array in (self.pixels, self.labels, self.reference_masks):
            if array is not None:
                digest.update(f"{array.dtype} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def gather(
    data: Source | TrainingImages,
    preprocess: Preprocess,
    *,
    classes: Sequence[str],
    memory: int,
    workers: int | None = None,
) -> TrainingImages | Streamed:
    """Return training examples: decoded once into at most `memory` bytes, or streamed.

    Raises `InputError` for an image without a class, or of a class that the model does not have.
    Unreadable images are left out, and all-zero reference masks treated as missing, with a warning.
    """
    if isinstance(data, TrainingImages):
        return data
    workers = workers or os.cpu_count() or 1
    labels = _labels(data, classes)
    order = np.arange(len(labels))
    (height, width), channels = preprocess.size, preprocess.channels
    bytes_each = height * width * (channels + int(data.has_reference_masks))
    if len(labels) * bytes_each > memory:
        return Streamed(data, preprocess, labels, workers, order)
    black: set[str] = set()
    decoded = decode(Reordered(data, order, black), preprocess, workers)
    warn({data.ids[i]: reason for i, reason in decoded.reasons}, black)
    indices = decoded.positions
    if not len(indices):
        raise InputError(f"none of {len(labels)} images can be read: check the files")
    ids = pick(data.ids, indices)
    return TrainingImages(decoded.pixels, labels[indices], decoded.reference_masks, ids)


def warn(unread: dict[str, str], black: set[str]) -> None:
    """Warn of unreadable images and of reference masks that are all zero, if there are any.

    Each process gives those of its part, and process 0 warns of all.
    """
    parts = exchange([unread, sorted(black)])
    unread = {id: reason for part, _ in parts for id, reason in part.items()}
    black = {id for _, ids in parts for id in ids}
    if not is_first():
        return
    if unread:
        first = ", ".join(f"{id}: {why}" for id, why in list(unread.items())[:3])
        images = f"{len(unread)} image{'s' * (len(unread) != 1)}"
        warnings.warn(f"{images} cannot be read ({first})", stacklevel=3)
    if black:
        first = ", ".join(sorted(black)[:3])
        message = f"{len(black)} reference masks are all zero and treated as missing ({first})"
        warnings.warn(message, stacklevel=3)


def _labels(source: Source, classes: Sequence[str]) -> np.ndarray:
    indices = class_indices(source.labels, source.ids, classes, model="the network")
    unknown = [id for id, index in zip(source.ids, indices, strict=True) if index is None]
    if unknown:
        raise InputError(
            f"{len(unknown)} images have none of the classes {', '.join(classes)}: "
            f"{', '.join(unknown[:3])}; name each folder by its class, {classes[0]}=DIR"
        )
    return np.array(indices, np.int32)
