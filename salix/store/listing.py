"""Summaries of the runs below a folder, from their manifests and the metadata of their parts."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from salix.store.claim import writing_process
from salix.store.manifest import NAME, expected_parts, read_manifest
from salix.store.parts import Part, sound_parts
from salix.store.ranges import Ranges
from salix.typing import InputError


@dataclass(frozen=True)
class RunState:
    """State of one run: rows of `count` examples, finished ranges, and bytes on disk.

    `skipped` rows are of examples that could not be read, `damaged` parts are not used, `writers`
    are the processes that write it now, and `error` is why a manifest cannot be read.
    """

    path: str
    name: str = ""
    model: str = ""
    rows: int = 0
    count: int = 0
    finished_ranges: int = 0
    ranges: int = 0
    skipped: int = 0
    damaged: int = 0
    bytes: int = 0
    writers: tuple[str, ...] = ()
    error: str = ""


def find_runs(folders: Iterable[Path]) -> Iterator[Path]:
    """Yield the run directories among folders and below them, sorted; trainings are left out."""
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder} is no directory: give one with runs below it")
        for place, names, files in os.walk(folder):
            names[:] = [] if NAME in files else sorted(names)
            if NAME in files:
                yield Path(place)


def summarise(path: Path) -> RunState | None:
    """Return the state of a run; None for a training. Parts are not read, but their metadata."""
    try:
        manifest = read_manifest(path)
        config, about = manifest["config"], manifest["about"]
        if config.get("kind") == "training":
            return None
        expected = expected_parts(manifest)
    except InputError as error:
        return RunState(str(path), error=str(error))
    except (KeyError, TypeError, ValueError):
        return RunState(str(path), error=f"{path / NAME} does not describe a run")
    sound, damaged = sound_parts(path, expected)
    counts = [_counts(part) for part in sound]
    ranges = Ranges(path, expected.batches, manifest.get("range_batches"))
    folders = [ranges.folder(number) for number in range(len(ranges))]
    rows = sum(count for count, _ in counts)
    is_one = ranges.length is None
    return RunState(
        path=str(path),
        name=str(about.get("name", path.name)),
        model=str(config.get("model", "")),
        rows=rows,
        count=expected.count,
        finished_ranges=int(rows == expected.count)
        if is_one
        else sum(ranges.is_finished(number) for number in range(len(ranges))),
        ranges=len(ranges),
        skipped=sum(skipped for _, skipped in counts),
        damaged=len(damaged),
        bytes=sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
        writers=tuple(sorted({w for f in folders if (w := writing_process(f)) is not None})),
    )


def _counts(part: Part) -> tuple[int, int]:
    """Return the rows of a part and those of skipped examples, by the statistics of its pages."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(part.path) as file:
        metadata, skipped = file.metadata, 0
        place = metadata.schema.names.index("skipped")
        for group in range(metadata.num_row_groups):
            chunk = metadata.row_group(group).column(place)
            if chunk.is_stats_set and chunk.statistics.has_null_count:
                nulls = chunk.statistics.null_count
            else:
                nulls = file.read_row_group(group, columns=["skipped"])["skipped"].null_count
            skipped += metadata.row_group(group).num_rows - nulls
        return metadata.num_rows, skipped
