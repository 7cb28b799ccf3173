"""Source of the images in tar shards of webdataset; each is read at its place in the file."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from salix.data.arrow_columns import ArrowColumn
from salix.data.bounds import MAX_FILE
from salix.data.class_folders import folder_names
from salix.data.content import files_identity
from salix.data.decode import Unreadable, decode
from salix.data.notes import note
from salix.data.regular_file import open_file, read_file
from salix.data.shard_ids import shard_ids
from salix.data.tar_index import index_shard, schema
from salix.data.texts import Categories
from salix.data.url import Url
from salix.typing import InputError

THREADS = 8


@dataclass(frozen=True)
class Shards:
    """Source of the images in uncompressed tar files, in the layout of webdataset.

    See `salix.data.tar_index` for the files of a key. Opening reads the headers and labels in one
    pass; the index is in memory, about 100 bytes an image. Nothing is unpacked to disk. Ids are
    those of the JSON files, else the keys, behind the name of the shard where there are several:
    `shard-000003/000017`. Without labels in the shards, the folders of the keys are the classes, as
    in a `Folder`; with `label`, all images have that one. What `salix.data.tar_members` leaves out
    is logged on one line. Raises `InputError` for a repeated id, for files without images and for
    what is no plain tar file.
    """

    files: tuple[Path | Url, ...]
    label: str | None = None
    ids: Sequence[str] = field(init=False, repr=False, compare=False)
    rows: Any = field(init=False, repr=False, compare=False)  # pyarrow.Table
    shard_ends: np.ndarray = field(init=False, repr=False, compare=False)  # rows up to each end
    spans: np.ndarray = field(init=False, repr=False, compare=False)  # image and mask [n 4]

    def __post_init__(self):
        import pyarrow as pa

        with ThreadPoolExecutor(THREADS, thread_name_prefix="salix-index") as pool:
            tables = [pa.concat_tables(parts) for parts in pool.map(_index, self.files)]
        ends = np.cumsum([len(table) for table in tables])
        if not ends.size or not ends[-1]:
            raise InputError(f"{self.files[0]} contains no image: give shards of webdataset")
        ids = shard_ids(self.files, tables)
        rows = pa.concat_tables(tables)
        spans = [rows[c].to_numpy() for c in ("offset", "size", "mask_offset", "mask_size")]
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "rows", rows.select(["key", "name", "index", "group"]))
        object.__setattr__(self, "shard_ends", ends)
        object.__setattr__(self, "spans", np.stack(spans, axis=1))

    @property
    def labels(self) -> Sequence[str | int | None]:
        """Names or indices of the shards' labels, else folders of the keys, or `label`."""
        if self.label is not None:
            return Categories.constant(self.label, len(self.ids))
        names, indices = self.rows["name"], self.rows["index"]
        if names.null_count == indices.null_count == len(names):
            return folder_names(ArrowColumn(self.rows["key"]))
        pairs = zip(ArrowColumn(names), ArrowColumn(indices), strict=True)
        return Categories(index if name is None else name for name, index in pairs)

    @property
    def groups(self) -> Sequence[str | None]:
        """Groups of the JSON files."""
        return ArrowColumn(self.rows["group"])

    def read(self, index: int) -> Any:
        """Decode one image; raises `Unreadable`."""
        offset, size, _, _ = self.spans[index]
        return decode(self._read(index, int(offset), int(size)))

    @property
    def has_reference_masks(self) -> bool:
        """Whether any key has a reference mask."""
        return bool((self.spans[:, 2] >= 0).any())

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Decode the reference mask of one image, None if it has none; raises `Unreadable`."""
        _, _, offset, size = self.spans[index]
        if offset < 0:
            return None
        try:
            return np.asarray(decode(self._read(index, int(offset), int(size))).convert("L"))
        except Unreadable as error:
            raise Unreadable(f"its reference mask: {error}") from None

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Digests of the shards' content, and of the places of images and masks in them."""
        sha = hashlib.sha256(np.ascontiguousarray(self.spans).data)
        files = files_identity(self.files, None, full=full)
        return {"shards": files["images"], "index": sha.hexdigest()}

    def _read(self, index: int, offset: int, size: int) -> bytes:
        """Return bytes of the shard of an image."""
        if size > MAX_FILE:
            raise Unreadable(f"file of {size / 1e6:,.0f} MB: over {MAX_FILE / 1e6:,.0f} MB")
        file = self.files[int(np.searchsorted(self.shard_ends, index, side="right"))]
        content = read_file(file, start=offset, first=size)
        if len(content) != size:
            raise Unreadable(f"{file.name} has become shorter since it was opened")
        return content


def _index(place: Path | Url) -> list[Any]:
    """Return the rows of a shard as tables, at least one; logs what was left out."""
    import pyarrow as pa

    left_out: Counter[str] = Counter()
    try:
        with open_file(place) as file:
            batches = index_shard(place, file, left_out)
    except Unreadable as error:
        raise InputError(f"{place} cannot be read: {error}") from None
    if left_out:
        counts = ", ".join(f"{reason} ({n})" for reason, n in left_out.most_common())
        note(f"{place.name}: left out: {counts}")
    return [pa.Table.from_batches(batches, schema())]
