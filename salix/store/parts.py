"""Parts of a run directory: names, checks, and setting aside of those that are damaged."""

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from salix.store.schema import arrow_schema
from salix.typing import Column

PART = re.compile(r"part-(\d{9,})-(\d{9,})\.parquet$")
# Prefix and suffix of a damaged part: neither Arrow nor a search for *.parquet reads it.
ASIDE, DAMAGED = "_set-aside-", ".damaged"
OWNER = b"salix.run"  # metadata of a part: the hash of its run's configuration


class Part(NamedTuple):
    """A part by the first and last batch in its name."""

    first: int
    last: int
    path: Path


class Damage(NamedTuple):
    """A part that is not used, with the reason."""

    part: Part
    reason: str


@dataclass(frozen=True)
class Expected:
    """Properties that the parts of a run share: columns, the run's hash, examples in batches.

    `batch_size` is None for a run whose parts have any number of rows.
    """

    columns: tuple[Column, ...]
    owner: str
    count: int
    batch_size: int | None

    @property
    def batches(self) -> int:
        """Number of batches, at most."""
        return 10**9 if self.batch_size is None else -(-self.count // self.batch_size)

    def rows(self, part: Part) -> range | None:
        """Return the positions of the examples in a part, None where the run does not tell."""
        if self.batch_size is None:
            return None
        return range(
            part.first * self.batch_size, min((part.last + 1) * self.batch_size, self.count)
        )


def parts(path: Path) -> list[Part]:
    """Return the parts in a run directory and in the folders of its ranges, in order."""
    files = [*path.iterdir(), *path.glob("range=*/part-*")]
    names = ((PART.match(p.name), p) for p in files)
    return sorted(Part(int(m[1]), int(m[2]), p) for m, p in names if m)


def sound_parts(
    path: Path, expected: Expected, *, full: bool = False
) -> tuple[list[Part], list[Damage]]:
    """Divide the parts into those that can be used, and those that are damaged.

    A part must be a Parquet file with all columns in their types, of the same run, with the rows
    that its name tells, and with no batch of a part before it. If `full`, all of it is read and
    compared with its checksums.
    """
    sound: list[Part] = []
    damaged: list[Damage] = []
    for part in parts(path):
        reason = damage_of(part, expected, full=full)
        if not reason and sound and part.first <= sound[-1].last:
            reason = f"repeats batches of {sound[-1].path.name}"
        if reason:
            damaged.append(Damage(part, reason))
        else:
            sound.append(part)
    return sound, damaged


def damage_of(part: Part, expected: Expected, *, full: bool) -> str:
    """Return the reason why a part cannot be used, "" if it can."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not part.first <= part.last < expected.batches:
        return f"has no batches of 0 to {expected.batches - 1} in its name"
    try:
        with pq.ParquetFile(part.path, page_checksum_verification=True) as file:
            schema, rows = file.schema_arrow, expected.rows(part)
            owner = (schema.metadata or {}).get(OWNER, b"").decode(errors="replace")
            if owner not in ("", expected.owner):
                return "is a part of another run"
            for field in arrow_schema(expected.columns):
                if field.name not in schema.names:
                    return f"has no column {field.name}"
                if schema.field(field.name).type != field.type:
                    return f"has {field.name} in another type, {schema.field(field.name).type}"
            if rows is not None and file.metadata.num_rows != len(rows):
                return f"has {file.metadata.num_rows} rows of {len(rows)}"
            if full:
                start = 0
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group)
                    table.validate(full=True)
                    indices = table["index"].to_pylist()
                    if rows is not None and indices != list(rows[start : start + len(indices)]):
                        return "has the rows of other examples"
                    start += len(indices)
    except (OSError, pa.ArrowException, ValueError, OverflowError) as error:
        return "is empty" if _is_empty(part.path) else f"cannot be read: {_line(error)}"
    return ""


def gaps(sound: Sequence[Part], expected: Expected) -> list[range]:
    """Return the positions of the examples that no sound part has, where batches have a size."""
    lacking, following = [], 0
    for first, last, path in [*sound, Part(expected.batches, expected.batches, Path())]:
        if first > following and (gap := expected.rows(Part(following, first - 1, path))):
            lacking.append(gap)
        following = last + 1
    return lacking


def set_aside(path: Path, damaged: Sequence[Damage], unit: str) -> list[dict[str, Any]]:
    """Rename damaged parts, print each with the reason, and return both for the manifest."""
    entries = []
    for part, reason in damaged:
        name, number = f"{ASIDE}{part.path.name}{DAMAGED}", 1
        while (path / name).exists():
            number += 1
            name = f"{ASIDE}{number}-{part.path.name}{DAMAGED}"
        os.rename(part.path, path / name)
        entries.append({"part": part.path.name, "reason": reason, "renamed": name})
        print(
            f"{part.path} {reason}: set aside as {name}; missing {unit} are computed again",
            file=sys.stderr,
        )
    return entries


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
