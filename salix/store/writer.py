"""Atomic Parquet writer: each part is written under a temporary name, synced and renamed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from salix.atomic import atomic
from salix.store.manifest import open_run, read_manifest
from salix.store.parts import OWNER
from salix.store.schema import KEYS, arrow_array, arrow_schema
from salix.typing import Column

GROUP_ROWS = 4096  # of a row group, the unit in which a reader holds rows
PART_ROWS, PART_BYTES = 1024, 4 << 20  # of rows in memory, which are written once they have both


class Writer:
    """Collects the rows of consecutive batches and writes them as parts.

    A part's name has its first and last batch, so that a resumed run knows what is finished from
    the directory alone. A row is a mapping from column to value; a column left out is missing. Rows
    wait in memory as Arrow tables, at most 4 MiB or 1,024 of them and those of the last batch.
    `owner` is the hash of the run, by default that of the run in `path`. `on_part` is called with
    the number of rows of each part that is written.
    """

    def __init__(
        self,
        path: Path,
        columns: Sequence[Column],
        owner: str | None = None,
        *,
        on_part: Callable[[int], None] | None = None,
    ):
        self.path, self.columns, self.on_part = path, tuple(columns), on_part
        self.tables: list[Any] = []
        self.rows = self.bytes = 0
        self.first = self.last = -1
        self.owner = read_manifest(path)["hash"] if owner is None else owner

    def add(self, batch: int, rows: Sequence[dict[str, Any]]) -> None:
        """Add the rows of one batch; a batch that does not follow the last one starts a part."""
        arrays = {c.name: arrow_array(c, [row.get(c.name) for row in rows]) for c in self.columns}
        self.add_arrays(batch, arrays)

    def add_arrays(self, batch: int, arrays: Mapping[str, Any]) -> None:
        """Add the rows of one batch as an Arrow array for each column."""
        import pyarrow as pa

        if self.tables and batch != self.last + 1:
            self.flush()
        if not self.tables:
            self.first = batch
        schema = arrow_schema(self.columns).with_metadata({OWNER: self.owner})
        table = pa.Table.from_arrays([arrays[c.name] for c in self.columns], schema=schema)
        self.tables.append(table)
        self.last = batch
        self.rows += len(table)
        self.bytes += table.nbytes
        if self.rows >= PART_ROWS and self.bytes >= PART_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the collected rows as one part."""
        if not self.tables:
            return
        import pyarrow as pa

        table = pa.concat_tables(self.tables)
        write_parquet(self.path / f"part-{self.first:09d}-{self.last:09d}.parquet", table)
        if self.on_part is not None:
            self.on_part(self.rows)
        self.tables, self.rows, self.bytes = [], 0, 0


def write_parquet(path: Path, table: Any) -> None:
    """Write an Arrow table as a Parquet file that is complete or absent, never partial."""
    import pyarrow.parquet as pq

    with atomic(path) as unfinished:
        pq.write_table(
            table, unfinished, row_group_size=GROUP_ROWS, **parquet_options(table.schema)
        )


def write_stream(path: Path, schema: Any, tables: Iterable[Any]) -> None:
    """Write tables as one Parquet file with the row groups of `write_parquet`, one in memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    options = parquet_options(schema)
    with atomic(path) as unfinished, pq.ParquetWriter(unfinished, schema, **options) as writer:
        rows = schema.empty_table()
        for table in tables:
            rows = pa.concat_tables([rows, table.replace_schema_metadata(schema.metadata)])
            while len(rows) >= GROUP_ROWS:
                writer.write_table(rows[:GROUP_ROWS])
                # A slice alone would hold the memory of all rows.
                rows = pa.concat_tables([rows[GROUP_ROWS:]]).combine_chunks()
        if len(rows):
            writer.write_table(rows)


def parquet_options(schema: Any) -> dict[str, Any]:
    """Return options of Parquet for a schema: checksums, and dictionaries where values repeat."""
    return {"write_page_checksum": True, "use_dictionary": _repeating(schema)}


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
