"""Training examples of a source that does not fit into memory, decoded by threads as needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from salix.data import Batch, Source, image_batches
from salix.data.content import source_identity
from salix.preprocess import Preprocess
from salix.store import digest
from salix.typing import InputError

Positions = Sequence[np.ndarray]  # of the images of each batch
PixelsAndMasks = tuple[np.ndarray, np.ndarray | None]  # of one batch


@dataclass(eq=False)
class Streamed:
    """Labelled images of a source that does not fit into memory, decoded by threads as needed.

    An unreadable image is replaced by the first readable one of its label, of the batch if it has
    one; `unread` collects the reasons, by id, and `black` the ids of reference masks that are all
    zero.
    """

    source: Source
    preprocess: Preprocess
    labels: np.ndarray
    workers: int
    indices: np.ndarray  # in the source
    unread: dict[str, str] = field(default_factory=dict)
    black: set[str] = field(default_factory=set)

    @property
    def ids(self) -> Sequence[str]:
        """Ids of the images."""
        return pick(self.source.ids, self.indices)

    def take(
        self, positions: Positions, batches: Positions | None = None
    ) -> Iterator[PixelsAndMasks]:
        """Yield the pixels and reference masks of each batch; all but the last are of one size.

        Where `positions` are one process's part of each batch, `batches` are all of it.
        """
        batches = positions if batches is None else batches
        if not positions:
            return
        size = len(positions[0])
        if len(positions[-1]) > size:  # each process loads all of a batch that does not divide
            yield from self.take(positions[:-1], batches[:-1])
            yield from self.take(positions[-1:], batches[-1:])
            return
        view = Reordered(self.source, self.indices[np.concatenate(positions)], self.black)
        loaded = image_batches(view, self.preprocess, size, range(len(positions)), self.workers)
        for batch, part, everyone in zip(loaded, positions, batches, strict=True):
            yield self._without_gaps(view, batch, part, everyone)

    def subset(self, indices: np.ndarray) -> "Streamed":
        """Return the images at positions."""
        return replace(self, labels=self.labels[indices], indices=self.indices[indices])

    def fingerprint(self) -> str:
        """Return a sha256 of the ids, the labels and the identity of the source."""
        text = "\n".join(f"{label} {id}" for id, label in zip(self.ids, self.labels, strict=True))
        return digest([text, self.source.identity()])

    def _without_gaps(
        self, view: "Reordered", batch: Batch, part: np.ndarray, everyone: np.ndarray
    ) -> PixelsAndMasks:
        for index, reason in batch.reasons.items():
            self.unread[view.ids[index]] = reason
        count = len(batch.indices)
        pixels, masks = batch.examples["pixels"][:count], batch.examples["reference_mask"]
        masks = None if masks is None else masks[:count]
        missing = np.flatnonzero(~batch.valid[:count])
        for label in np.unique(self.labels[part[missing]]).tolist():
            alike = missing[self.labels[part[missing]] == label]
            pixels[alike], mask = self._first_readable(label, everyone)
            if masks is not None:
                masks[alike] = mask
        return pixels, masks

    def _first_readable(self, label: int, everyone: np.ndarray) -> PixelsAndMasks:
        """Return the first readable image of a label, in the batch or else in all."""
        for positions in (everyone, np.arange(len(self.labels))):
            alike = positions[self.labels[positions] == label]
            view = Reordered(self.source, self.indices[alike], set())
            for batch in image_batches(view, self.preprocess, 1, range(len(alike)), 1):
                if batch.valid[0]:
                    return batch.examples["pixels"], batch.examples["reference_mask"]
        names = ", ".join(view.ids[:5])
        raise InputError(f"no image of label {label} can be read ({names} …): check the files")


@dataclass(eq=False)
class Reordered:
    """The images of a source in another order, with repeats; collects ids of all-zero masks."""

    source: Source
    order: np.ndarray
    black: set[str]

    @property
    def ids(self) -> Sequence[str]:
        """Ids, in the new order."""
        return pick(self.source.ids, self.order)

    @property
    def labels(self) -> Sequence[str | int | None]:
        """Labels, in the new order."""
        return pick(self.source.labels, self.order)

    @property
    def groups(self) -> Sequence[str | None]:
        """Groups, in the new order."""
        return pick(self.source.groups, self.order)

    @property
    def has_reference_masks(self) -> bool:
        """Whether the source has reference masks."""
        return self.source.has_reference_masks

    def read(self, index: int) -> Any:
        """Return one image of the source."""
        return self.source.read(int(self.order[index]))

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Return the reference mask of one image of the source, or None."""
        mask = self.source.reference_mask(int(self.order[index]))
        if mask is not None and not np.any(mask):
            self.black.add(self.source.ids[int(self.order[index])])
        return mask

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Identity of the source, and the order."""
        return {"source": source_identity(self.source, full=full), "order": self.order.tolist()}


def pick(names: Sequence[Any], indices: np.ndarray) -> list[Any]:
    """Return the names at positions."""
    return [names[int(i)] for i in indices]
