"""Atomic Parquet writer: each part is written under a temporary name, synced and renamed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from salix.atomic import atomic
from salix.store.manifest import open_run, read_manifest
from salix.store.parts import OWNER
from salix.store.schema import KEYS, arrow_array, arrow_schema
from salix.typing import Column

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
        self.owner = read_manifest(path)["hash"]

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
        schema = arrow_schema(self.columns).with_metadata({OWNER: self.owner})
        table = pa.Table.from_arrays(arrays, schema=schema)
        write_parquet(self.path / f"part-{self.first:09d}-{self.last:09d}.parquet", table)
        self.rows = []


def write_parquet(path: Path, table: Any) -> None:
    """Write an Arrow table as a Parquet file that is complete or absent, never partial."""
    import pyarrow.parquet as pq

    options: dict[str, Any] = {"row_group_size": GROUP_ROWS, "write_page_checksum": True}
    options["use_dictionary"] = _repeating(table.schema)
    with atomic(path) as unfinished:
        pq.write_table(table, unfinished, **options)


def _repeating(schema: Any) -> list[str]:
    """Return the columns whose values repeat: a dictionary of floats costs time and saves none."""
    from pyarrow import types

    names = []
    for field in schema:
        is_list = types.is_fixed_size_list(field.type)
        if not types.is_floating(field.type.value_type if is_list else field.type):
            names.append(f"{field.name}.list.element" if is_list else field.name)
    return names


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
