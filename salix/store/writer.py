"""Atomic Parquet writer: each part is written under a temporary name, synced and renamed."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from salix.store.manifest import open_run
from salix.store.schema import KEYS, arrow_array, arrow_schema
from salix.typing import Column

PART = re.compile(r"part-(\d{9})-(\d{9})\.parquet$")
GROUP_ROWS = 4096  # of a row group, the unit in which a reader holds rows


class Writer:
    """Collects the rows of consecutive batches and writes them as parts.

    A part's name has its first and last batch, so that a resumed run knows what is finished from
    the directory alone. A row is a mapping from column to value; a column left out is missing.
    """

    def __init__(self, path: Path, columns: Sequence[Column]):
        self.path, self.columns = path, tuple(columns)
        self.rows: list[dict[str, Any]] = []
        self.first = self.last = -1
        for unfinished in path.glob("*.tmp"):  # of a run that was killed while it wrote
            unfinished.unlink()

    def add(self, batch: int, rows: list[dict[str, Any]]) -> None:
        """Add the rows of one batch; a batch that does not follow the last one starts a part."""
        if self.rows and batch != self.last + 1:
            self.flush()
        if not self.rows:
            self.first = batch
        self.rows += rows
        self.last = batch

    def flush(self) -> None:
        """Write the collected rows as one part."""
        if not self.rows:
            return
        import pyarrow as pa

        arrays = [arrow_array(c, [row.get(c.name) for row in self.rows]) for c in self.columns]
        table = pa.Table.from_arrays(arrays, schema=arrow_schema(self.columns))
        write_parquet(self.path / f"part-{self.first:09d}-{self.last:09d}.parquet", table)
        self.rows = []


def write_parquet(path: Path, table: Any) -> None:
    """Write an Arrow table as a Parquet file that is complete or absent, never partial."""
    import pyarrow.parquet as pq

    temporary = path.with_name(path.name + ".tmp")
    pq.write_table(table, temporary, row_group_size=GROUP_ROWS)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)


def parts(path: Path) -> list[tuple[int, int, Path]]:
    """Return (first batch, last batch, file) of each finished part, in order."""
    names = ((PART.match(p.name), p) for p in path.iterdir())
    return sorted((int(m[1]), int(m[2]), p) for m, p in names if m)


def finished(path: Path) -> set[int]:
    """Return the indices of the batches whose rows are on disk."""
    return {b for first, last, _ in parts(path) for b in range(first, last + 1)}


def write_run(
    path: Path,
    columns: Sequence[Column],
    rows: list[dict[str, Any]],
    *,
    config: dict[str, Any],
    about: dict[str, Any],
) -> None:
    """Write finished rows as a run directory, for rows that were computed elsewhere.

    `columns` are those beside the keys `index`, `id` and `skipped`; `config` needs the number of
    examples as `data.count`, `about` a `name` and a `group`.
    """
    open_run(path, config, about, columns=(*KEYS, *columns))
    writer = Writer(path, (*KEYS, *columns))
    writer.add(0, rows)
    writer.flush()
