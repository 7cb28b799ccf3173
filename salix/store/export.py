"""Export of runs as one data set, in folders by model and range."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from salix.atomic import temporary
from salix.store.manifest import expected_parts
from salix.store.parts import Part, sound_parts
from salix.store.reader import Run
from salix.store.schema import arrow_schema
from salix.store.writer import write_stream
from salix.typing import Column, InputError

FOLDERS = ("model", "range")  # columns that readers make from the names of the folders


def export_runs(
    runs: Sequence[Run],
    folder: Path,
    *,
    columns: Sequence[str] = (),
    format: Literal["parquet", "csv"] = "parquet",
) -> list[Path]:
    """Write all rows to `folder/model=NAME/range=000012/part-000000.parquet`, or `.csv`.

    Readers of folders in the layout of Hive make the columns `model`, the run's name, and `range`
    of it. Every file has all columns of all runs, or those named in `columns`; one that a run has
    not is null. Arrays stay lists of fixed size; in CSV they are JSON, and without `columns` they
    are left out there. A run is exported as a whole or not at all. Returns the folders of the runs.

    Raises `InputError` for a column that no run has, for one of two types, and for a run that the
    folder has already.
    """
    described = shared_columns(runs, columns)
    if reserved := [column.name for column in described if column.name in FOLDERS]:
        raise InputError(f"column {reserved[0]} has the name of a folder level: leave it out")
    if format == "csv":
        if binary := [c.name for c in described if c.dtype == "binary" and c.name in columns]:
            raise InputError(f"column {binary[0]} has pictures, which CSV cannot have")
        described = [c for c in described if c.dtype != "binary" and (columns or not c.shape)]
    return write_folders(runs, folder, partial(_export_run, columns=described, format=format))


def write_folders(
    runs: Sequence[Run], folder: Path, write: Callable[[Run, Path], None]
) -> list[Path]:
    """Let `write` make `folder/model=NAME` for each run, under a temporary name until it is whole.

    Raises `InputError` for a run that the folder has already.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: give --out a folder")
    targets = [folder / f"model={quote(run.name, safe='')}" for run in runs]
    for run, target in zip(runs, targets, strict=True):
        if target.exists():
            raise InputError(f"{folder} has {target.name} already: remove it, or use a new --out")
        for sentence in run.missing[:1]:
            print(f"{run.path}: {sentence} The export goes without.", file=sys.stderr)
    for run, target in zip(runs, targets, strict=True):
        unfinished = temporary(target)
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unfinished.mkdir(parents=True)
            write(run, unfinished)
            os.replace(unfinished, target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return targets


def shared_columns(runs: Sequence[Run], names: Sequence[str]) -> list[Column]:
    """Return the columns of the runs that have one of the names, all if there are none.

    Raises `InputError` for unknown names and for a column of two types.
    """
    shared: dict[str, tuple[Column, Run]] = {}
    for run in runs:
        for column in run.columns.values():
            if names and column.name not in names:
                continue
            first, owner = shared.setdefault(column.name, (column, run))
            if (first.dtype, first.shape) != (column.dtype, column.shape):
                raise InputError(
                    f"column {column.name} is {first.dtype} {first.shape} in {owner.path} and "
                    f"{column.dtype} {column.shape} in {run.path}: export the runs apart, or name "
                    "other columns with --columns"
                )
    if unknown := [name for name in names if name not in shared]:
        raise InputError(f"no run has the column {unknown[0]}: choose from {_names(runs)}")
    return [column for column, _ in shared.values()]


def _names(runs: Sequence[Run]) -> str:
    return ", ".join(dict.fromkeys(name for run in runs for name in run.columns))


def _export_run(run: Run, target: Path, columns: Sequence[Column], format: str) -> None:
    """Write one file for each range that has rows."""
    length = run.manifest.get("range_batches")
    ranges: dict[int, list[Part]] = {}
    for part in sound_parts(run.path, expected_parts(run.manifest))[0]:
        ranges.setdefault(part.first // length if length else 0, []).append(part)
    schema = arrow_schema(columns)
    for number, of_range in ranges.items():
        file = target / f"range={number:06d}" / f"part-000000.{format}"
        file.parent.mkdir()
        tables = _tables(of_range, schema)
        if format == "csv":
            _write_csv(file, columns, tables)
        else:
            write_stream(file, schema, tables)


def _tables(parts: Sequence[Part], schema: Any) -> Iterator[Any]:
    """Yield row groups with the columns of a schema; a column that is not there is null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for part in parts:
        with pq.ParquetFile(part.path, page_checksum_verification=True) as file:
            stored = [name for name in schema.names if name in file.schema_arrow.names]
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                table = file.read_row_group(group, columns=stored)
                yield pa.table(
                    [table[f.name] if f.name in stored else pa.nulls(rows, f.type) for f in schema],
                    schema=schema,
                )


def _write_csv(path: Path, columns: Sequence[Column], tables: Iterator[Any]) -> None:
    import pyarrow as pa
    from pyarrow import csv

    texts = [c.name for c in columns if c.shape]
    fields = [(f.name, pa.string() if f.name in texts else f.type) for f in arrow_schema(columns)]
    with csv.CSVWriter(path, pa.schema(fields)) as writer:
        for table in tables:
            arrays = [
                pa.array([None if v is None else json.dumps(v) for v in table[c.name].to_pylist()])
                if c.shape
                else table[c.name]
                for c in columns
            ]
            writer.write_table(pa.table(arrays, schema=pa.schema(fields)))
