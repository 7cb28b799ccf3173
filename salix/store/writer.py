"""Rows to Parquet parts, each written whole under a temporary name and then renamed."""

import os
import re
from pathlib import Path
from typing import Any

PART = re.compile(r"part-(\d{9})-(\d{9})\.parquet$")


class Writer:
    """Collects the rows of consecutive batches and writes them as parts.

    A part's name holds its first and last batch, so that a later run knows what is finished
    from the directory alone.
    """

    def __init__(self, path: Path, schema: Any):
        self.path, self.schema = path, schema
        self.rows: list[dict[str, Any]] = []
        self.first = self.last = -1
        for left in path.glob("*.tmp"):  # of a run that was killed while it wrote
            left.unlink()

    def add(self, batch: int, rows: list[dict[str, Any]]) -> None:
        """Take the rows of one batch; writes first if it does not follow the last one."""
        if self.rows and batch != self.last + 1:
            self.flush()
        if not self.rows:
            self.first = batch
        self.rows += rows
        self.last = batch

    def flush(self) -> None:
        """Write what was collected as one part."""
        if not self.rows:
            return
        name = f"part-{self.first:09d}-{self.last:09d}.parquet"
        write_whole(self.path / name, self.rows, self.schema)
        self.rows = []


def write_whole(path: Path, rows: list[dict[str, Any]], schema: Any = None) -> None:
    """Write rows as a Parquet file that is there whole or not at all, under a temporary name."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    temporary = path.with_name(path.name + ".tmp")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)


def parts(path: Path) -> list[tuple[int, int, Path]]:
    """Return (first batch, last batch, file) of each finished part, in order."""
    found = ((PART.match(p.name), p) for p in path.iterdir())
    return sorted((int(m[1]), int(m[2]), p) for m, p in found if m)


def finished(path: Path) -> set[int]:
    """Return the indices of the batches whose rows are on disk."""
    return {b for first, last, _ in parts(path) for b in range(first, last + 1)}
