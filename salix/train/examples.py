"""Images to train on: their classes, ids and reference masks, in memory or read from a source."""

import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from salix.data import Batch, Source, image_batches
from salix.preprocess import Preprocess
from salix.typing import InputError

Chosen = Sequence[np.ndarray]  # positions of the images of each batch
Taken = tuple[np.ndarray, np.ndarray | None]  # pixels and reference masks of one batch


@dataclass(frozen=True, eq=False)
class Examples:
    """Pixels [n h w c] and reference masks [n *grid], 8-bit, with the index of each image's class.

    A reference mask of zeros means that the image has none. Ids are the positions unless given. Raises
    `InputError` for arrays that do not match, or ids that are repeated.
    """

    pixels: np.ndarray
    labels: np.ndarray
    reference_masks: np.ndarray | None = None
    ids: Sequence[str] = ()

    def __post_init__(self):
        n = len(self.pixels)
        ids = tuple(self.ids) or tuple(f"{i:08d}" for i in range(n))
        given = {"labels": self.labels, "reference_masks": self.reference_masks, "ids": ids}
        for what, values in given.items():
            if values is not None and len(values) != n:
                raise InputError(f"{len(values)} {what} for {n} images: give one for each")
        for what, pixels in (("images", self.pixels), ("reference_masks", self.reference_masks)):
            if pixels is not None and pixels.dtype != np.uint8:
                raise InputError(f"{what} of type {pixels.dtype}: give 8-bit values, uint8")
        if len(set(ids)) < n:
            raise InputError("ids are repeated: each image needs one of its own")
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "labels", np.asarray(self.labels, np.int32))

    def take(self, chosen: Chosen) -> Iterator[Taken]:
        """Yield the pixels and reference masks of each batch."""
        for of in chosen:
            yield (
                self.pixels[of],
                None if self.reference_masks is None else self.reference_masks[of],
            )

    def at(self, of: np.ndarray) -> "Examples":
        """Return some of the examples."""
        reference_masks = None if self.reference_masks is None else self.reference_masks[of]
        return Examples(self.pixels[of], self.labels[of], reference_masks, pick(self.ids, of))

    def fingerprint(self) -> str:
        """Return a sha256 of all that is here."""
        found = hashlib.sha256("\n".join(self.ids).encode())
        for array in (self.pixels, self.labels, self.reference_masks):
            if array is not None:
                found.update(f"{array.dtype} {array.shape}".encode())
                found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()


@dataclass(frozen=True, eq=False)
class Streamed:
    """Labelled images of a source that does not fit into memory, decoded by threads as needed.

    An image that cannot be read is replaced by the first of its batch that can; `unread` holds
    the reasons, by id.
    """

    source: Source
    to: Preprocess
    labels: np.ndarray
    workers: int
    places: np.ndarray  # in the source
    unread: dict[str, str] = field(default_factory=dict)
    black: set[str] = field(default_factory=set)  # ids of reference masks that say nothing

    @property
    def ids(self) -> Sequence[str]:
        """Ids of the images."""
        return pick(self.source.ids, self.places)

    def take(self, chosen: Chosen) -> Iterator[Taken]:
        """Yield the pixels and reference masks of each batch; all but the last are of one size."""
        if not chosen:
            return
        order = self.places[np.concatenate(chosen)]
        view, size = View(self.source, order, self.black), len(chosen[0])
        for batch in image_batches(view, self.to, size, range(len(chosen)), self.workers):
            yield self._whole(view, batch, len(batch.indices))

    def at(self, of: np.ndarray) -> "Streamed":
        """Return some of the images."""
        labels, places = self.labels[of], self.places[of]
        return Streamed(self.source, self.to, labels, self.workers, places, self.unread, self.black)

    def fingerprint(self) -> str:
        """Return a sha256 of the ids and labels."""
        text = "\n".join(f"{label} {id}" for id, label in zip(self.ids, self.labels, strict=True))
        return hashlib.sha256(text.encode()).hexdigest()

    def _whole(self, view: "View", batch: Batch, size: int) -> Taken:
        for index, reason in batch.reasons.items():
            self.unread[view.ids[index]] = reason
        valid = np.flatnonzero(batch.valid)
        if not len(valid):
            names = ", ".join(view.ids[i] for i in batch.indices[:5])
            raise InputError(f"no image of a batch can be read ({names} …): check the files")
        slots = np.where(batch.valid, np.arange(len(batch.valid)), valid[0])[:size]
        masks = batch.examples["reference_mask"]
        return batch.examples["pixels"][slots], None if masks is None else masks[slots]


@dataclass(frozen=True, eq=False)
class View:
    """The images of a source in another order, repeated ones included; notes black reference masks."""

    source: Source
    order: np.ndarray
    black: set[str]

    @property
    def ids(self) -> Sequence[str]:
        """Ids, in the new order."""
        return pick(self.source.ids, self.order)

    @property
    def labels(self) -> Sequence[str | None]:
        """Labels, in the new order."""
        return pick(self.source.labels, self.order)

    @property
    def has_reference_masks(self) -> bool:
        """As the source."""
        return self.source.has_reference_masks

    def read(self, index: int) -> Any:
        """Read from the source."""
        return self.source.read(int(self.order[index]))

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Reference mask from the source."""
        found = self.source.reference_mask(int(self.order[index]))
        if found is not None and not np.any(found):
            self.black.add(self.source.ids[int(self.order[index])])
        return found


def gather(
    data: Source | Examples,
    to: Preprocess,
    classes: Sequence[str],
    memory: int,
    workers: int | None = None,
) -> Examples | Streamed:
    """Return data to train on: decoded once into at most `memory` bytes, or streamed.

    Raises `InputError` for an image without a class, or of one that the model does not have.
    Images that cannot be read are left out, and all-black reference masks taken for none, with a warning.
    """
    if isinstance(data, Examples):
        return data
    workers = workers or os.cpu_count() or 1
    labels = _labels(data, classes)
    everything = np.arange(len(labels))
    cost = to.size[0] * to.size[1] * (to.channels + int(data.has_reference_masks))
    if len(labels) * cost > memory:
        return Streamed(data, to, labels, workers, everything)
    images, reference_masks, kept, unread, black = [], [], [], {}, set()
    view, numbers = View(data, everything, black), range(-(-len(labels) // 64))
    for batch in image_batches(view, to, 64, numbers, workers):
        valid = np.flatnonzero(batch.valid)
        images.append(batch.examples["pixels"][valid])
        kept.append(batch.indices[0] + valid)
        unread |= {data.ids[i]: reason for i, reason in batch.reasons.items()}
        if (masks := batch.examples["reference_mask"]) is not None:
            reference_masks.append(masks[valid])
    warn(unread, black)
    of = np.concatenate(kept)
    if not len(of):
        raise InputError(f"none of {len(labels)} images can be read: check the files")
    marked = np.concatenate(reference_masks) if reference_masks else None
    return Examples(np.concatenate(images), labels[of], marked, pick(data.ids, of))


def pick(names: Sequence[Any], of: np.ndarray) -> list[Any]:
    """Return some of the names, by position."""
    return [names[int(i)] for i in of]


def warn(unread: dict[str, str], black: set[str]) -> None:
    """Warn of images that could not be read and of reference masks that are all black, if there are any."""
    if unread:
        first = ", ".join(f"{id}: {why}" for id, why in list(unread.items())[:3])
        images = f"{len(unread)} image{'s' * (len(unread) != 1)}"
        warnings.warn(f"{images} cannot be read ({first})", stacklevel=3)
    if black:
        first = ", ".join(sorted(black)[:3])
        told = f"{len(black)} reference masks are all black and are taken for none ({first})"
        warnings.warn(told, stacklevel=3)


def _labels(source: Source, classes: Sequence[str]) -> np.ndarray:
    known: dict[str | None, int] = {name.casefold(): i for i, name in enumerate(classes)}
    names = [n if n is None else n.casefold() for n in source.labels]
    strange = [i for i, n in enumerate(names) if n not in known]
    if strange:
        some = ", ".join(f"{source.ids[i]} ({source.labels[i]})" for i in strange[:3])
        raise InputError(
            f"{len(strange)} images have no class of {', '.join(classes)}: {some}; name each "
            f"folder by its class, {classes[0]}=DIR"
        )
    return np.array([known[n] for n in names], np.int32)
