"""Export of stored maps as arrays of Zarr or records of ArrayRecord, with an index by id."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from salix.store.array_records import RecordMaps
from salix.store.export import shared_columns, write_folders
from salix.store.manifest import expected_parts
from salix.store.parts import sound_parts
from salix.store.reader import Run
from salix.store.schema import numpy_array
from salix.store.writer import write_stream
from salix.store.zarr_groups import ZarrMaps
from salix.typing import Column, InputError

MapFormat = Literal["zarr", "array_record"]
BLOCK = 32 << 20  # bytes of the largest column in one shard
READ = 4 << 20  # bytes of it that are decoded at once, which takes about ten times as many
INDEX = "index.parquet"


def export_maps(
    runs: Sequence[Run], folder: Path, *, format: MapFormat, columns: Sequence[str] = ()
) -> list[Path]:
    """Write stored maps to `folder/model=NAME`: `maps.zarr`, or files `map-00000-of-00001.…`.

    `columns` are any with arrays, by default the map and those of other methods, `…_map`. A map has
    the row of its example among the measured ones; `index.parquet` has the `id`, the `index` in the
    data and the `row` of each. Memory is that of a block of rows. A run is exported as a whole or
    not at all. Returns the folders of the runs.

    Raises `InputError` for a run without maps, for a column that no run has or that is no array of
    numbers, where a package is not installed, and for a run that the folder has already.
    """
    described = shared_columns(runs, columns)
    for column in described if columns else ():
        if not column.shape or column.dtype in ("string", "binary"):
            raise InputError(f"column {column.name} is no array of numbers: leave it out")
    if not columns:
        described = [c for c in described if c.shape and f"_{c.name}".endswith("_map")]
    if format == "array_record":
        RecordMaps.require()
    names = [column.name for column in described]
    for run in runs:
        if not any(name in run.columns for name in names):
            raise InputError(
                f"{run.path} has no maps: sweep into a new --out without --maps none, or name "
                "columns with --columns"
            )
    return write_folders(runs, folder, partial(_export_run, names=names, format=format))


def _export_run(run: Run, target: Path, names: Sequence[str], format: MapFormat) -> None:
    import pyarrow as pa

    columns = [run.columns[name] for name in names if name in run.columns]
    largest = max(np.dtype(c.dtype).itemsize * int(np.prod(c.shape)) for c in columns)
    rows = max(1, BLOCK // largest)
    pieces = _measured(run, columns, max(1, READ // largest))
    count = sum(len(block["index"]) for block in _measured(run, (), 1 << 16))
    writer: ZarrMaps | RecordMaps = (
        ZarrMaps(target / "maps.zarr", columns, count, rows)
        if format == "zarr"
        else RecordMaps(target, columns, count)
    )
    schema = pa.schema({"id": pa.string(), "index": pa.int64(), "row": pa.int64()})
    write_stream(target / INDEX, schema, _index(_blocks(pieces, rows), writer, schema))
    writer.close()


def _index(
    blocks: Iterator[dict[str, np.ndarray]], writer: ZarrMaps | RecordMaps, schema: Any
) -> Iterator[Any]:
    """Write the maps of each block, and yield its index."""
    import pyarrow as pa

    first = 0
    for block in blocks:
        ids, indices = block.pop("id"), block.pop("index")
        writer.write(first, block)
        places = np.arange(first, first + len(indices))
        yield pa.table([pa.array(ids, pa.string()), indices, places], schema=schema)
        first += len(indices)


def _measured(run: Run, columns: Sequence[Column], rows: int) -> Iterator[dict[str, np.ndarray]]:
    """Yield ids, indices and columns of at most `rows` measured examples."""
    import pyarrow.parquet as pq

    read = [run.columns["id"], run.columns["index"], *columns]
    names = [*(c.name for c in read), "skipped"]
    for part in sound_parts(run.path, expected_parts(run.manifest))[0]:
        with pq.ParquetFile(part.path, page_checksum_verification=True) as file:
            for batch in file.iter_batches(rows, columns=names):
                measured = batch.filter(batch["skipped"].is_null())
                yield {c.name: numpy_array(c, measured[c.name]) for c in read}


def _blocks(pieces: Iterator[dict[str, np.ndarray]], rows: int) -> Iterator[dict[str, np.ndarray]]:
    """Yield the same rows in blocks of `rows`; the last has the rest."""
    waiting: list[dict[str, np.ndarray]] = []
    length = 0
    for piece in pieces:
        waiting.append(piece)
        length += len(piece["index"])
        while length >= rows:
            joined = _joined(waiting)
            yield {name: values[:rows] for name, values in joined.items()}
            waiting = [{name: values[rows:] for name, values in joined.items()}]
            length -= rows
    if length:
        yield _joined(waiting)


def _joined(pieces: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
