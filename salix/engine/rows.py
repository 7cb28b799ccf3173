"""From the columns of a batch to rows of the store."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from salix.data import Batch, Source, id_hash
from salix.model import Model
from salix.typing import InputError

THUMB = 112  # longest side of a kept image, in pixels


@dataclass(frozen=True)
class Rows:
    """Makes rows: knows each image's id and label, and which few images are kept as pictures."""

    ids: list[str]
    labels: list[int | None]
    kept: frozenset[int]

    @staticmethod
    def of(model: Model, source: Source, thumbs: int) -> "Rows":
        """Match the labels of a source to a model's classes and choose the images to keep."""
        ids, labels = list(source.ids), match_labels(model, source)
        return Rows(ids, labels, frozenset(_choose(ids, labels, thumbs)))

    def hashes(self, batch: Batch) -> np.ndarray:
        """Return the hash of each id of a batch, from which its random key is folded."""
        found = np.zeros(len(batch.valid), np.uint32)
        found[: len(batch.indices)] = [id_hash(self.ids[i]) for i in batch.indices]
        return found

    def make(self, batch: Batch, columns: dict[str, np.ndarray]) -> list[dict[str, Any]]:
        """Return one row for each image of a batch."""
        rows = []
        for slot, index in enumerate(batch.indices):
            row: dict[str, Any] = {
                "index": index,
                "id": self.ids[index],
                "label": self.labels[index],
            }
            if index in batch.reasons:
                rows.append(row | {"skipped": batch.reasons[index]})
                continue
            row |= {name: column[slot] for name, column in columns.items()}
            if index in self.kept:
                row["thumb"] = picture(batch.images[slot], "JPEG")
                if batch.reference_masks is not None and batch.reference_masks[slot].any():
                    row["reference_mask"] = picture(batch.reference_masks[slot], "PNG")
            rows.append(row)
        return rows


def match_labels(model: Model, source: Source) -> list[int | None]:
    """Return the index of each image's class among the model's, None where unknown.

    Names are compared without case. Raises `InputError` for a name that the model does not have.
    """
    known = {name.casefold(): i for i, name in enumerate(model.classes)}
    names = list(source.labels)
    strange = sorted({n for n in names if n is not None and n.casefold() not in known})
    if strange:
        listed = ", ".join(strange[:5]) + (", …" if len(strange) > 5 else "")
        raise InputError(
            f"labels {listed} are not classes of {model.name} ({', '.join(model.classes)}): "
            f"name each folder by its class, --data {model.classes[0]}=DIR, or use --no-labels"
        )
    return [None if n is None else known[n.casefold()] for n in names]


def picture(pixels: np.ndarray, format: str) -> bytes:
    """Encode 8-bit pixels as a small picture."""
    from PIL import Image

    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.thumbnail((THUMB, THUMB))
    buffer = BytesIO()
    image.save(buffer, format, quality=88)
    return buffer.getvalue()


def _choose(ids: list[str], labels: list[int | None], count: int) -> set[int]:
    """Take an equal share of each class, by the hash of the id: the same images for any model."""
    chosen: set[int] = set()
    for label in (classes := set(labels)):
        members = [i for i, found in enumerate(labels) if found == label]
        members.sort(key=lambda i: (id_hash(ids[i]), ids[i]))
        chosen.update(members[: -(-count // len(classes))])
    return chosen
