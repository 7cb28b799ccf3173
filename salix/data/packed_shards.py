"""Shards of a packed data set: small columns are mapped into memory, tensors are read.

A mapped page that the disk cannot read, or that another process has cut off, ends the process; a
failed read is an error of one image.
"""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from salix.data.packed_layout import OWNER, SMALL, PackedLayout, tensor_digest

OPEN_SHARDS = 64  # at most, each with a file descriptor


class DamagedShard(Exception):
    """Difference between a file and the shard that was written."""


class ShardReader:
    """An open shard of a packed data set; raises `DamagedShard`, also in all methods."""

    def __init__(self, path: Path, layout: PackedLayout, rows: int):
        import pyarrow as pa

        self.layout, self.rows, self.lock = layout, rows, Lock()
        try:
            mapped = pa.memory_map(str(path))
            self.start = mapped.read_buffer().address
            self.file, self.bytes = pa.ipc.open_file(mapped), pa.OSFile(str(path))
            schema = self.file.schema
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DamagedShard(_first_line(error)) from None
        if (schema.metadata or {}).get(OWNER) != layout.owner.encode() or schema != layout.schema:
            raise DamagedShard("a shard of other images or settings")
        self.batches: list[Any] = [None] * self.file.num_record_batches
        if len(self.batches) != -(-rows // layout.batch_rows):
            raise DamagedShard(f"{len(self.batches)} record batches for {rows} rows")

    def batch(self, number: int) -> Any:
        """Return a record batch without a copy."""
        with self.lock:
            if self.batches[number] is None:
                self.batches[number] = self._checked_batch(number)
            return self.batches[number]

    def _checked_batch(self, number: int) -> Any:
        import pyarrow as pa

        try:
            batch = self.file.get_batch(number)
            batch.validate(full=True)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DamagedShard(_first_line(error)) from None
        rows = min(self.rows - number * self.layout.batch_rows, self.layout.batch_rows)
        if batch.num_rows != rows:
            raise DamagedShard(f"{batch.num_rows} rows where {rows} were written")
        for name, shape in self.layout.shapes.items():
            if _bytes(batch, name).size < rows * np.prod(shape):
                raise DamagedShard(f"{name} are shorter than their rows")
        return batch

    def tensor(self, number: int, row: int, name: str) -> np.ndarray | None:
        """Read one tensor of a batch, None where it is null."""
        batch, shape = self.batch(number), self.layout.shapes[name]
        expected = batch.column(f"{name}_sha256")[row].as_py()
        if expected is None:
            return None
        size = int(np.prod(shape))
        place = _bytes(batch, name).address - self.start + row * size
        content = self.bytes.read_at(size, place)
        if len(content) < size:
            raise DamagedShard(f"it ends before the {name} of row {row} of batch {number}")
        tensor = np.frombuffer(content, np.uint8).reshape(shape)
        if tensor_digest(tensor, self.frame(number, row)) != expected:
            raise DamagedShard(f"{name} differ from their digest")
        return tensor

    def ids(self) -> Iterator[str]:
        """Yield the ids of all rows."""
        for number in range(len(self.batches)):
            yield from self.batch(number).column("id").to_pylist()

    def frame(self, number: int, row: int) -> tuple[int, int]:
        """Return the height and width of an image in its file."""
        batch = self.batch(number)
        return batch.column("height")[row].as_py() or 0, batch.column("width")[row].as_py() or 0

    def digest(self, *, full: bool) -> str:
        """Return a sha256 of all columns but the tensors; if `full`, check the tensors' own."""
        sha = hashlib.sha256()
        names = [*SMALL, *(f"{n}_sha256" for n in self.layout.shapes)]
        for number in range(len(self.batches)):
            batch = self.batch(number)
            sha.update(f"{batch.num_rows}\n".encode())
            for name in names:
                for buffer in batch.column(name).buffers():
                    sha.update(b"-" if buffer is None else buffer)
            for name in self.layout.shapes if full else ():
                for row in range(batch.num_rows):
                    self.tensor(number, row, name)
        return sha.hexdigest()


@lru_cache(OPEN_SHARDS)
def open_shard(
    path: Path, layout: PackedLayout, rows: int, version: tuple[int, int]
) -> ShardReader:
    """Return a reader of a shard, shared by all threads; `version` is its size and time."""
    del version  # another one is another file
    return ShardReader(path, layout, rows)


def _bytes(batch: Any, name: str) -> Any:
    """Return the mapped buffer of the tensors of a column."""
    return batch.column(name).storage.values.buffers()[1]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
