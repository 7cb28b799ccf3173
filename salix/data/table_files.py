"""Readers of table files: CSV in its dialects and encodings, Parquet, JSON."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salix.data.decode import Unreadable
from salix.data.notes import note
from salix.data.regular_file import read_file
from salix.data.url import Url
from salix.typing import InputError

SUFFIXES = ("csv", "tsv", "tab", "parquet", "pq", "jsonl", "ndjson", "json")
BATCH = 1 << 14  # rows of Parquet that are Python objects at a time
BOMS = (("utf-8-sig", b"\xef\xbb\xbf"), ("utf-16", b"\xff\xfe"), ("utf-16", b"\xfe\xff"))


@dataclass(frozen=True)
class Cells:
    """Cells of a table: the names of columns, and rows by their number in the file, from 1."""

    header: Sequence[str]
    rows: Iterable[tuple[int, Sequence[Any]]]  # read once
    unit: str  # "line" or "row"


def is_table(path: Path | Url) -> bool:
    """Whether a path has the suffix of a table."""
    return path.suffix.lower()[1:] in SUFFIXES


def read_cells(file: Path | Url) -> Cells:
    """Return the cells of a table; raises `InputError` for a file that cannot be read as such."""
    suffix = file.suffix.lower()[1:]
    try:
        content = read_file(file)
        if suffix in ("parquet", "pq"):
            return _parquet(content)
        text = _text(file, content)
        if suffix in ("jsonl", "ndjson", "json"):
            return _json(text, lines=suffix != "json")
        return _csv(file, text, "\t" if suffix in ("tsv", "tab") else None)
    except (Unreadable, csv.Error, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        kind = {"pq": "Parquet", "parquet": "Parquet"}.get(suffix, suffix.upper())
        raise InputError(f"{file} cannot be read as {kind}: {error}"[:400]) from None


def _text(file: Path | Url, content: bytes) -> str:
    """Decode a text file in UTF-8 or UTF-16; what is neither is taken for Windows-1252."""
    for encoding, mark in BOMS:
        if content.startswith(mark):
            return content.decode(encoding)
    if b"\0" in content[:2]:
        return content.decode("utf-16-be" if content[:1] == b"\0" else "utf-16-le")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        note(f"{file.name} is not UTF-8 (byte {error.start}): read as Windows-1252")
        return content.decode("cp1252", "replace")


def _csv(file: Path | Url, text: str, delimiter: str | None) -> Cells:
    first, _, rest = text.lstrip("\r\n").partition("\n")
    shift = len(text) - len(text.lstrip("\r\n"))
    before = text[:shift].count("\n")
    if first.strip().casefold().startswith("sep=") and len(first.strip()) == 5:  # as Excel writes
        delimiter, text, before = first.strip()[4], rest, before + 1
        first = rest.partition("\n")[0]
    else:
        text = text[shift:]
    if delimiter is None or delimiter not in first:
        unquoted = "".join(first.split('"')[::2])
        delimiter = max(",;\t|", key=unquoted.count)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=delimiter != "\t"
    )
    header, rows = next(reader, []), []
    if not header:
        raise ValueError("it is empty")
    for row in reader:
        number, width = before + reader.line_num, len(header)
        if any(cell.strip() for cell in row[width:]):
            raise InputError(
                f"{file}, line {number} has more fields than columns: put a path with a comma in "
                "quotes"
            )
        rows.append((number, [*row[:width], *[None] * (width - len(row))]))
    return Cells(header, rows, "line")


def _parquet(content: bytes) -> Cells:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(error) from None
    rows = (
        row
        for batch in table.to_batches(max_chunksize=BATCH)
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    return Cells(table.column_names, enumerate(rows, 1), "row")


def _json(text: str, *, lines: bool) -> Cells:
    """Return the cells of one JSON object a line, or of a list of objects."""
    if lines:
        numbered = [
            (n, json.loads(line)) for n, line in enumerate(text.split("\n"), 1) if line.strip()
        ]
    else:
        objects = json.loads(text)
        if not isinstance(objects, list):
            raise ValueError('expected a list of objects, [{"path": "a.png", "label": "real"}]')
        numbered = [*enumerate(objects, 1)]
    for number, item in numbered:
        if not isinstance(item, dict):
            raise ValueError(
                f"{'line' if lines else 'row'} {number} is no object, expected "
                '{"path": "a.png", "label": "real"}'
            )
    header = [*dict.fromkeys(key for _, item in numbered for key in item)]
    rows = [(number, [item.get(key) for key in header]) for number, item in numbered]
    return Cells(header, rows, "line" if lines else "row")
