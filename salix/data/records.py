"""Source of the images in ArrayRecord files; each record is read at its place."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from salix.data.arrow_columns import ArrowColumn
from salix.data.content import files_identity
from salix.data.decode import Unreadable, decode
from salix.data.record_index import IMAGES, MASK, index_records, read_record
from salix.data.shard_ids import shard_ids
from salix.data.tar_index import schema
from salix.data.texts import Categories
from salix.data.tf_examples import FeatureValues
from salix.typing import InputError

THREADS = 8


@dataclass(frozen=True)
class Records:
    """Source of the images in ArrayRecord files, whose records are `tf.train.Example`.

    The image is the feature `image` or `image/encoded`, an encoded file; its class `label`, a name
    or an index; its group `group`; its reference mask `map`. Ids are those of a feature of
    `salix.data.features.KEYS`, else positions in the file, behind its name where there are
    several. With `label`, all images have that one. Opening reads each record once; the index is in
    memory. A record that is damaged or has no image is a skipped row. Raises `InputError` for a
    repeated id and for what is no ArrayRecord file.
    """

    files: tuple[Path, ...]
    label: str | None = None
    ids: Sequence[str] = field(init=False, repr=False, compare=False)
    rows: Any = field(init=False, repr=False, compare=False)  # pyarrow.Table
    ends: np.ndarray = field(init=False, repr=False, compare=False)  # one past each file's last row
    has_reference_masks: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        import pyarrow as pa

        with ThreadPoolExecutor(THREADS, thread_name_prefix="salix-index") as pool:
            batches = [*pool.map(index_records, self.files)]
        tables = [pa.Table.from_batches(b, schema()) for b in batches]
        ends = np.cumsum([len(table) for table in tables])
        if not ends.size or not ends[-1]:
            raise InputError(f"{self.files[0]} contains no record: give files with images")
        rows = pa.concat_tables(tables)
        object.__setattr__(self, "ids", shard_ids(self.files, tables))
        object.__setattr__(self, "rows", rows.select(["name", "index", "group"]))
        object.__setattr__(self, "ends", ends)
        masks = rows["mask_offset"].to_numpy()
        object.__setattr__(self, "has_reference_masks", bool((masks >= 0).any()))

    @property
    def labels(self) -> Sequence[str | int | None]:
        """Names or indices of classes, or `label`."""
        if self.label is not None:
            return Categories.constant(self.label, len(self.ids))
        pairs = zip(ArrowColumn(self.rows["name"]), ArrowColumn(self.rows["index"]), strict=True)
        return Categories(index if name is None else name for name, index in pairs)

    @property
    def groups(self) -> Sequence[str | None]:
        """Groups of the records."""
        return ArrowColumn(self.rows["group"])

    def read(self, index: int) -> Any:
        """Decode one image; raises `Unreadable`."""
        features = self._features(index)
        name = next((name for name in IMAGES if name in features), None)
        if name is None:
            raise Unreadable(f"its record has none of the features {', '.join(IMAGES)}")
        return decode(_encoded(features, name))

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Decode the reference mask of one image, None if it has none; raises `Unreadable`."""
        features = self._features(index)
        if not features.get(MASK):
            return None
        try:
            return np.asarray(decode(_encoded(features, MASK)).convert("L"))
        except Unreadable as error:
            raise Unreadable(f"its reference mask: {error}") from None

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Digests of the files' content."""
        return {"records": files_identity(self.files, None, full=full)["images"]}

    def _features(self, index: int) -> Mapping[str, FeatureValues]:
        number = int(np.searchsorted(self.ends, index, side="right"))
        first = int(self.ends[number - 1]) if number else 0
        return read_record(self.files[number], index - first)


def _encoded(features: Mapping[str, FeatureValues], name: str) -> bytes:
    values = features[name]
    if len(values) != 1 or not isinstance(values[0], bytes):
        raise Unreadable(f"the feature {name} of its record is no encoded image")
    return values[0]
