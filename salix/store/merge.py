"""Merge of runs of one configuration that were computed apart, and compaction of their parts."""

import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from salix.store.claim import Claim
from salix.store.manifest import NAME as MANIFEST
from salix.store.manifest import (
    expected_parts,
    manifest_columns,
    note_circumstances,
    open_run,
    read_manifest,
)
from salix.store.mismatch import differences
from salix.store.parts import OWNER, Expected, Part, set_aside
from salix.store.ranges import Ranges, read_mark
from salix.store.reader import Run
from salix.store.schema import arrow_schema, numpy_array
from salix.store.verification import verify
from salix.store.writer import write_stream
from salix.typing import Column, InputError

SHOWN = 5  # ids in a message


def merge_runs(paths: Sequence[Path], out: Path) -> Run:
    """Write the rows of all runs to `out`, each batch once, and one part for each whole range.

    The inputs stay as they are; damaged parts among them are named on stderr and left out. `out`
    has the ranges of the first run, is complete or can be continued by the same merge or sweep,
    and must not be one of the inputs. Raises `InputError` for runs of several configurations, and
    for rows of one example that differ, with their ids.
    """
    first = _check_runs(paths, out)
    manifest, expected = read_manifest(first), expected_parts(read_manifest(first))
    columns = manifest_columns(manifest)
    sources = [_Source(path) for path in paths]
    is_new, length = not (out / MANIFEST).exists(), manifest.get("range_batches")
    open_run(out, manifest["config"], manifest["about"], columns=columns, range_batches=length)
    for path in paths[1:] if is_new else ():
        note_circumstances(out, read_manifest(path)["about"])
    ranges = Ranges(out, expected.batches, read_manifest(out).get("range_batches"))
    for number in range(len(ranges)):
        numbers = ranges.numbers(number)
        available = [s for s in sources if any(s.part(batch) for batch in numbers)]
        if available and not ranges.is_finished(number):
            _merge_range(ranges, number, available, expected)
    return Run(out)


class _Source:
    """Sound parts of a run by batch, read by row group."""

    def __init__(self, path: Path):
        result = verify(path)
        if result.ids_differ:
            raise InputError(f"{path} has other ids than its manifest: salix runs verify {path}")
        for part, reason in result.damaged:
            print(f"{part.path} {reason}: left out", file=sys.stderr)
        self.path, self.parts = path, result.sound
        self.firsts = [part.first for part in self.parts]
        self.file: tuple[Part, Any] | None = None  # of the latest part
        self.group: tuple[Part, int, Any] | None = None  # the latest row group

    def part(self, batch: int) -> Part | None:
        """Return the part that has a batch."""
        place = bisect_right(self.firsts, batch) - 1
        return self.parts[place] if place >= 0 and batch <= self.parts[place].last else None

    def rows(self, batch: int, expected: Expected) -> Any:
        """Return the rows of a batch as a table."""
        import pyarrow as pa

        part = self.part(batch)
        assert part is not None
        assert expected.batch_size is not None
        positions = expected.rows(Part(batch, batch, part.path)) or range(0)
        start = (batch - part.first) * expected.batch_size
        stop, begin, slices = start + len(positions), 0, []
        names = [column.name for column in expected.columns]
        file = self._open(part)
        for group in range(file.num_row_groups):
            end = begin + file.metadata.row_group(group).num_rows
            if begin < stop and end > start:
                if self.group is None or self.group[:2] != (part, group):
                    self.group = (part, group, file.read_row_group(group, columns=names))
                table = self.group[2].select(names)
                slices.append(table[max(start - begin, 0) : stop - begin])
            begin = end
        return pa.concat_tables(slices)

    def _open(self, part: Part) -> Any:
        """Return the file of a part, opened once for all batches in a row."""
        import pyarrow.parquet as pq

        if self.file is None or self.file[0] != part:
            if self.file is not None:
                self.file[1].close()
            self.file = (part, pq.ParquetFile(part.path, page_checksum_verification=True))
        return self.file[1]


def _check_runs(paths: Sequence[Path], out: Path) -> Path:
    """Raise `InputError` for runs that cannot be merged; return the first."""
    first = paths[0]
    manifest = read_manifest(first)
    if "batch_size" not in manifest["config"]:
        raise InputError(f"{first} has rows without batches, which cannot be merged")
    for path in paths:
        if path.resolve() == out.resolve():
            raise InputError(f"--out {out} is one of the runs to merge: give a new directory")
        other = read_manifest(path)
        if other["hash"] != manifest["hash"]:
            changes = differences(manifest["config"], other["config"])
            text = "; ".join(f"{name}: {change}" for name, change in changes.items())
            raise InputError(
                f"{path} is of another configuration than {first} ({text}): merge runs of one "
                "configuration, and compare others by salix report"
            )
        kinds = [
            {c["name"]: (c["dtype"], c["shape"]) for c in m["columns"]} for m in (manifest, other)
        ]
        if kinds[0] != kinds[1]:
            raise InputError(f"{path} has other columns than {first}: merge runs of one version")
    return first


def _merge_range(
    ranges: Ranges, number: int, sources: Sequence[_Source], expected: Expected
) -> None:
    """Write the missing batches of a range, a part for each unbroken series."""
    folder = ranges.folder(number)
    folder.mkdir(parents=True, exist_ok=True)
    with Claim(folder):
        missing, damaged = ranges.unfinished(number)
        set_aside(folder, damaged, "examples")
        batches = [b for b in missing if any(source.part(b) for source in sources)]
        schema = arrow_schema(expected.columns).with_metadata({OWNER: expected.owner})
        ends = [i for i, (a, b) in enumerate(pairwise(batches), 1) if b != a + 1]
        for begin, end in pairwise([0, *ends, len(batches)]):
            if series := batches[begin:end]:
                write_stream(
                    folder / f"part-{series[0]:09d}-{series[-1]:09d}.parquet",
                    schema,
                    _merged(series, sources, expected),
                )
        if len(batches) == len(missing):
            marks = [read_mark(_folder_of(source, batches)) or {} for source in sources]
            about = {k: v for k, v in marks[0].items() if k not in ("parts", "merged")}
            ranges.mark(number, **about, merged=len(sources))


def _folder_of(source: _Source, batches: Sequence[int]) -> Path:
    parts = (source.part(batch) for batch in batches)
    return next((part.path.parent for part in parts if part), source.path)


def _merged(
    batches: Sequence[int], sources: Sequence[_Source], expected: Expected
) -> Iterator[Any]:
    """Yield the rows of each batch of the first source that has it; others must have the same."""
    for batch in batches:
        having = [source for source in sources if source.part(batch)]
        table = having[0].rows(batch, expected)
        for other in having[1:]:
            different = differing_rows(expected.columns, table, other.rows(batch, expected))
            if different.any():
                ids = table["id"].filter(different.tolist()).to_pylist()
                more = f" and {len(ids) - SHOWN} more of batch {batch}" if len(ids) > SHOWN else ""
                raise InputError(
                    f"{having[0].path} and {other.path} have different rows of "
                    f"{', '.join(map(repr, ids[:SHOWN]))}{more}: they were computed by different "
                    "devices or versions; merge without one of the two"
                )
        yield table


def differing_rows(columns: Sequence[Column], a: Any, b: Any) -> np.ndarray:
    """Return for each row whether two tables differ in any bit of it."""
    different = np.zeros(len(a), bool)
    for column in columns:
        first, second = (_array(table[column.name]) for table in (a, b))
        if first.equals(second):  # NaN is never equal, and compared below
            continue
        valid = [x.is_valid().to_numpy(zero_copy_only=False) for x in (first, second)]
        different |= valid[0] != valid[1]
        values = [numpy_array(column, x) for x in (first, second)]
        if values[0].dtype != object:
            values = [np.ascontiguousarray(v).view(np.uint8) for v in values]
        unequal = values[0] != values[1]
        different |= unequal.reshape(len(a), -1).any(1)
    return different


def _array(values: Any) -> Any:
    import pyarrow as pa

    joined = values.combine_chunks()
    return joined if not isinstance(joined, pa.ChunkedArray) else pa.concat_arrays(joined.chunks)
