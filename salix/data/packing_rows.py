"""Rows of a packed data set: images fitted and digested by the loader, as Arrow record batches."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from salix.data.content import source_identity
from salix.data.decode import fit
from salix.data.examples import fit_reference_mask
from salix.data.feed import Batch
from salix.data.fitted import frame_of
from salix.data.packed_layout import SMALL, PackedLayout, tensor_digest, write_label
from salix.data.source import Source
from salix.preprocess import Preprocess


@dataclass(frozen=True, eq=False)
class FittedExamples:
    """The images of a source, fitted to a preprocessing, with the digests of pixels and masks."""

    source: Source
    to: Preprocess
    columns: tuple[()] = ()
    ids: Sequence[str] = field(init=False, repr=False)
    labels: Sequence[Any] = field(init=False, repr=False)
    groups: Sequence[str | None] = field(init=False, repr=False)

    def __post_init__(self):
        for name in ("ids", "labels", "groups"):  # which a source may build at each access
            object.__setattr__(self, name, getattr(self.source, name))

    @property
    def example(self) -> dict[str, Any]:
        """Shapes and types of one example."""
        example: dict[str, Any] = {
            "frame": jax.ShapeDtypeStruct((2,), np.int32),
            "pixels": jax.ShapeDtypeStruct((*self.to.size, self.to.channels), np.uint8),
            "pixels_sha256": jax.ShapeDtypeStruct((32,), np.uint8),
        }
        if self.source.has_reference_masks:
            example |= {
                "has_mask": jax.ShapeDtypeStruct((), np.bool_),
                "reference_mask": jax.ShapeDtypeStruct(self.to.size, np.uint8),
                "reference_mask_sha256": jax.ShapeDtypeStruct((32,), np.uint8),
            }
        return example

    def load(self, index: int) -> dict[str, Any]:
        """Decode and fit one image and its reference mask; raises `Unreadable`."""
        image = self.source.read(index)
        frame = frame_of(image)
        example: dict[str, Any] = {"frame": np.array(frame, np.int32)}
        example |= _with_digest("pixels", fit(image, self.to), frame)
        if self.source.has_reference_masks:
            mask = self.source.reference_mask(index)
            example["has_mask"] = np.bool_(mask is not None)
            if mask is None:
                fitted = np.zeros(self.to.size, np.uint8)
            else:
                fitted = fit_reference_mask(mask, frame, self.to)
            example |= _with_digest("reference_mask", fitted, frame)
        return example

    def describe(self, index: int, example: Any | None) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def identity(self) -> dict[str, Any]:
        """Return the identity of the source."""
        return source_identity(self.source, full=False)


def record_batch(batch: Batch, examples: FittedExamples, layout: PackedLayout) -> Any:
    """Return a batch of fitted examples as an Arrow record batch."""
    import pyarrow as pa

    rows, count = batch.indices, len(batch.indices)
    valid = batch.valid[:count]
    labels = [write_label(examples.labels[i]) for i in rows]
    frames = batch.examples["frame"][:count]
    small = {
        "id": [examples.ids[i] for i in rows],
        "label": [text for text, _ in labels],
        "label_kind": [kind for _, kind in labels],
        "group": [examples.groups[i] for i in rows],
        "skipped": [batch.reasons.get(i) for i in rows],
        "height": pa.array(frames[:, 0], mask=~valid),
        "width": pa.array(frames[:, 1], mask=~valid),
    }
    schema = layout.schema
    arrays = [pa.array(small[name], schema.field(name).type) for name in SMALL]
    for name in layout.shapes:
        has_value = valid & batch.examples["has_mask"][:count] if name != "pixels" else valid
        tensors = batch.examples[name][:count].reshape(count, -1)
        digests = batch.examples[f"{name}_sha256"][:count]
        mask = None if name == "pixels" else pa.array(~has_value)
        storage = pa.FixedSizeListArray.from_arrays(
            pa.array(tensors.reshape(-1)), tensors.shape[1], mask=mask
        )
        arrays.append(pa.ExtensionArray.from_storage(schema.field(name).type, storage))
        known = [bytes(d) if v else None for d, v in zip(digests, has_value, strict=True)]
        arrays.append(pa.array(known, pa.binary(32)))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _with_digest(name: str, tensor: Any, frame: tuple[int, int]) -> dict[str, np.ndarray]:
    tensor = np.asarray(tensor)
    digest = np.frombuffer(tensor_digest(tensor, frame), np.uint8)
    return {name: tensor, f"{name}_sha256": digest}
