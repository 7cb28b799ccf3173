"""Source of a packed data set: images that `salix pack` has resized, read at memory speed."""

import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from salix.data.bounds import Unreadable
from salix.data.class_labels import Label
from salix.data.content import join_digests
from salix.data.fitted import FittedPixels, fitted_pixels
from salix.data.packed_layout import PackedLayout, PackedShard, read_label, read_packing
from salix.data.packed_shards import DamagedShard, ShardReader, open_shard
from salix.data.texts import Categories, Compact
from salix.preprocess import Preprocess
from salix.typing import InputError

REMEDY = "run the same salix pack again, which writes damaged shards anew"


@dataclass(frozen=True, eq=False)
class Packed:
    """Source of the images in a packed data set, in the order of the data that were packed.

    Ids, labels, groups, reference masks and reasons of unreadable images are those of that data;
    with `label`, all images have that one. They are read from mapped files as they are asked for.
    Pixels are compared with their SHA-256 when they are read. Raises `InputError` for a data set
    that is not whole, or with a shard that is missing or of another size.
    """

    root: Path
    label: str | None = None
    layout: PackedLayout = field(init=False, repr=False)
    shards: tuple[PackedShard, ...] = field(init=False, repr=False)
    versions: tuple[tuple[int, int], ...] = field(init=False, repr=False)  # sizes and times
    ends: tuple[int, ...] = field(init=False, repr=False)  # one past the last row of each shard
    faces: Mapping[str, Any] | None = field(init=False, repr=False)  # rule of those cut before

    def __post_init__(self):
        root = Path(self.root)
        packing = read_packing(root)
        if packing.shards is None:
            raise InputError(f"{root} is not packed to its end: run the same salix pack again")
        object.__setattr__(self, "layout", packing.layout)
        object.__setattr__(self, "faces", (packing.config.get("source") or {}).get("faces"))
        object.__setattr__(self, "shards", packing.shards)
        object.__setattr__(self, "versions", tuple(map(self._version, packing.shards)))
        object.__setattr__(self, "ends", tuple(accumulate(s.rows for s in packing.shards)))
        for number in range(len(self.shards)):
            self._reader(number)

    @property
    def packing(self) -> Preprocess:
        """Preprocessing that the pixels were fitted to."""
        return self.layout.to

    @property
    def ids(self) -> Sequence[str]:
        """Ids of the data that were packed."""
        return PackedColumn(self, ("id",), str)

    @property
    def labels(self) -> Sequence[Label]:
        """Labels of the data that were packed, or `label`."""
        if self.label is not None:
            return Categories.constant(self.label, self.ends[-1])
        return PackedColumn(self, ("label", "label_kind"), read_label)

    @property
    def groups(self) -> Sequence[str | None]:
        """Groups of the data that were packed."""
        return PackedColumn(self, ("group",), _unchanged)

    @property
    def has_reference_masks(self) -> bool:
        """Whether the data that were packed have reference masks."""
        return self.layout.reference_masks

    def read(self, index: int) -> FittedPixels:
        """Return the pixels of one image; raises `Unreadable`."""
        number, batch, row = self._place(index)
        if (reason := self._batch(number, batch).column("skipped")[row].as_py()) is not None:
            raise Unreadable(reason)
        pixels = self._tensor(number, batch, row, "pixels")
        if pixels is None:
            raise Unreadable(self._damage(number, "no pixels"))
        return pixels

    def reference_mask(self, index: int) -> FittedPixels | None:
        """Return the reference mask of one image, fitted as its pixels; None if it has none."""
        if not self.has_reference_masks:
            return None
        return self._tensor(*self._place(index), "reference_mask")

    def skipped(self) -> Iterator[tuple[str, str]]:
        """Yield the id of each image that could not be read when it was packed, and the reason."""
        reasons = PackedColumn(self, ("id", "skipped"), _pair)
        return ((id, reason) for id, reason in reasons if reason is not None)

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Digest of the shards, from stored digests of pixels; `full` compares those with pixels.

        With the rule of the faces that were packed, so that reports state it. Raises `InputError`
        for a shard that is damaged.
        """
        for number, shard in enumerate(self.shards):
            try:
                if self._reader(number).digest(full=full) != shard.sha256:
                    raise DamagedShard("its rows differ from their digest")
            except DamagedShard as error:
                raise InputError(self._damage(number, error)) from None
        packed = {"packed": join_digests(shard.sha256 for shard in self.shards)}
        return packed if self.faces is None else packed | {"faces": dict(self.faces)}

    def _tensor(self, number: int, batch: int, row: int, name: str) -> FittedPixels | None:
        shard = self._reader(number)
        try:
            tensor = shard.tensor(batch, row, name)
        except DamagedShard as error:
            raise Unreadable(self._damage(number, error)) from None
        frame = shard.frame(batch, row)
        return None if tensor is None else fitted_pixels(tensor, self.packing, frame)

    def _place(self, index: int) -> tuple[int, int, int]:
        """Return the shard, record batch and row of an image."""
        number = bisect.bisect_right(self.ends, index)
        row = index - (self.ends[number - 1] if number else 0)
        return number, *divmod(row, self.layout.batch_rows)

    def _version(self, shard: PackedShard) -> tuple[int, int]:
        try:
            status = (Path(self.root) / shard.file).stat()
        except OSError as error:
            raise InputError(
                f"{Path(self.root) / shard.file}: {error.strerror}: {REMEDY}"
            ) from None
        if status.st_size != shard.bytes:
            raise InputError(
                f"{Path(self.root) / shard.file} has {status.st_size} bytes of {shard.bytes}: "
                f"{REMEDY}"
            )
        return status.st_size, status.st_mtime_ns

    def _reader(self, number: int) -> ShardReader:
        try:
            path = Path(self.root) / self.shards[number].file
            return open_shard(path, self.layout, self.shards[number].rows, self.versions[number])
        except DamagedShard as error:
            raise InputError(self._damage(number, error)) from None

    def _batch(self, number: int, batch: int) -> Any:
        """Return a record batch; raises `InputError`."""
        try:
            return self._reader(number).batch(batch)
        except DamagedShard as error:
            raise InputError(self._damage(number, error)) from None

    def _damage(self, number: int, reason: object) -> str:
        return f"{Path(self.root) / self.shards[number].file} is damaged ({reason}): {REMEDY}"


@dataclass(frozen=True, eq=False)
class PackedColumn(Compact):
    """A column of a packed data set, read as it is asked for; `convert` takes the named values."""

    source: Packed
    names: tuple[str, ...]
    convert: Callable[..., Any]

    def __len__(self) -> int:
        return self.source.ends[-1]

    def _item(self, position: int) -> Any:
        number, batch, row = self.source._place(position)
        rows = self.source._batch(number, batch)
        return self.convert(*(rows.column(name)[row].as_py() for name in self.names))

    def __iter__(self) -> Iterator[Any]:
        for number in range(len(self.source.shards)):
            for batch in range(len(self.source._reader(number).batches)):
                rows = self.source._batch(number, batch)
                columns = [rows.column(name).to_pylist() for name in self.names]
                yield from map(self.convert, *columns)


def _pair(id: str, reason: str | None) -> tuple[str, str | None]:
    return id, reason


def _unchanged(value: Any) -> Any:
    return value
