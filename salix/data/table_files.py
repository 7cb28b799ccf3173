"""Readers of table files, row by row: CSV in its dialects and encodings, Parquet, JSON."""

import csv
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from salix.data import table_json, table_text
from salix.data.decode import Unreadable
from salix.data.regular_file import read_failure
from salix.data.table_text import opener
from salix.data.url import Url
from salix.typing import InputError

SUFFIXES = ("csv", "tsv", "tab", "parquet", "pq", "jsonl", "ndjson", "json")
BATCH = 1 << 14  # rows of Parquet that are Python objects at a time
BUFFER = 1 << 20  # bytes of a column of Parquet that are read at a time

NumberedRow = tuple[int, Sequence[Any]]  # its number in the file, from 1, and its cells


@dataclass(frozen=True)
class Cells:
    """Cells of a table: the names of columns, and rows that are read as they are asked for."""

    header: Sequence[str]
    rows: Iterable[NumberedRow]  # read once; raises `InputError` for a file that cannot be read
    unit: str  # "line" or "row"


def is_table(path: Path | Url) -> bool:
    """Whether a path has the suffix of a table."""
    return path.suffix.lower()[1:] in SUFFIXES


def read_cells(file: Path | Url, *, binary: Collection[str] | None = None) -> Cells:
    """Return the cells of a table; raises `InputError` for a file that cannot be read as such.

    Where `binary` names columns, other columns of bytes, such as pictures in a Parquet file, are
    not read: their cells are True. Memory does not grow with the number of rows, except for JSON
    with a list of objects, and for remote files.
    """
    suffix = file.suffix.lower()[1:]
    try:
        open_file = opener(file)
        if suffix in ("parquet", "pq"):
            header, rows = _parquet_header(open_file), _parquet_rows(open_file, binary)
        elif suffix in ("jsonl", "ndjson", "json"):
            encoding = table_text.detect_encoding(file, open_file)
            header, rows = table_json.read(open_file, encoding, lines=suffix != "json")
        else:
            encoding = table_text.detect_encoding(file, open_file)
            delimiter = "\t" if suffix in ("tsv", "tab") else None
            lines = _csv_rows(file, open_file, encoding, delimiter)
            with closing(lines):
                _, header = next(lines)
            rows = islice(_csv_rows(file, open_file, encoding, delimiter), 1, None)
    except ERRORS as error:
        raise _error(file, error) from None
    unit = "row" if suffix in ("parquet", "pq", "json") else "line"
    return Cells(header, _checked(file, rows), unit)


ERRORS = (Unreadable, csv.Error, ValueError, RecursionError, OSError)


def _checked(file: Path | Url, rows: Iterable[NumberedRow]) -> Iterator[NumberedRow]:
    """Yield rows; raises `InputError` where the file cannot be read."""
    try:
        yield from rows
    except ERRORS as error:
        raise _error(file, error) from None


def _error(file: Path | Url, error: Exception) -> InputError:
    if isinstance(error, InputError):
        return error
    suffix = file.suffix.lower()[1:]
    kind = {"pq": "Parquet", "parquet": "Parquet"}.get(suffix, suffix.upper())
    reason = read_failure(error, str(file)) if isinstance(error, OSError) else error
    return InputError(f"{file} cannot be read as {kind}: {reason}"[:400])


def _csv_rows(
    file: Path | Url,
    open_file: Callable[[], IO[bytes]],
    encoding: table_text.Encoding,
    delimiter: str | None,
) -> Generator[NumberedRow, None, None]:
    """Yield the header as row 0, and the rows of a CSV file."""
    with table_text.open_text(open_file, encoding, newline="") as text:
        lines = table_text.lines(text)
        first, before = next(lines, ""), 0
        while first and not first.strip("\r\n"):
            before += first.count("\n")
            first = next(lines, "")
        if first.strip().casefold().startswith("sep=") and len(first.strip()) == 5:  # of Excel
            delimiter, before = first.strip()[4], before + 1
            first = next(lines, "")
        if delimiter is None or delimiter not in first:
            unquoted = "".join(first.split('"')[::2])
            delimiter = max(",;\t|", key=unquoted.count)
        reader = csv.reader(
            _joined(first, lines), delimiter=delimiter, skipinitialspace=delimiter != "\t"
        )
        header = next(reader, [])
        if not header:
            raise ValueError("it is empty")
        yield 0, header
        width = len(header)
        for row in reader:
            number = before + reader.line_num
            if any(cell.strip() for cell in row[width:]):
                raise InputError(
                    f"{file}, line {number} has more fields than columns: put a path with a comma "
                    "in quotes"
                )
            yield number, [*row[:width], *[None] * (width - len(row))]


def _joined(first: str, lines: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from lines


def _parquet_header(open_file: Callable[[], IO[bytes]]) -> Sequence[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open_file() as file, pq.ParquetFile(file) as table:
            return table.schema_arrow.names
    except (pa.ArrowException, OSError) as error:
        raise ValueError(error) from None


def _parquet_rows(
    open_file: Callable[[], IO[bytes]], binary: Collection[str] | None
) -> Iterator[NumberedRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open_file() as file, pq.ParquetFile(file, buffer_size=BUFFER) as table:
            schema, number = table.schema_arrow, 0
            passed = [binary is not None and _is_passed(field, binary) for field in schema]
            names = [n for n, p in zip(schema.names, passed, strict=True) if not p]
            for batch in table.iter_batches(BATCH, columns=names if any(passed) else None):
                columns = iter(batch.columns)
                lists = [[True] * len(batch) if p else next(columns).to_pylist() for p in passed]
                for row in zip(*lists, strict=True):
                    number += 1
                    yield number, row
    except (pa.ArrowException, OSError) as error:
        raise ValueError(error) from None


def _is_passed(field: Any, binary: Collection[str]) -> bool:
    import pyarrow as pa

    is_binary = pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)
    return is_binary and field.name.strip().strip("'\"").strip().casefold() not in binary
