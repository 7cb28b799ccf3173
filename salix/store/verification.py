"""Verification of run directories: all bytes, rows and ids, in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from salix.store.claim import Claim, writing_process
from salix.store.identity import digest, digest_items
from salix.store.manifest import expected_parts, note_set_aside, read_manifest
from salix.store.parts import Damage, Part, damage_of, gaps, parts, set_aside
from salix.store.ranges import MARK, Ranges, describe_file, read_mark

SHOWN = 5  # ids or positions in one sentence
IDS_AT_ONCE = 500_000  # held in memory where repeated ones are searched


@dataclass
class Verification:
    """A run with the defects that were found in it.

    `defects` are sentences on what is wrong, `notes` on what could not be compared. `damaged` are
    the parts that should be set aside, `sound` all others. `ids_differ` if every row is there and
    the ids are not those of the manifest.
    """

    path: Path
    count: int
    rows: int = 0
    defects: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    damaged: list[Damage] = field(default_factory=list)
    sound: list[Part] = field(default_factory=list)
    ids_differ: bool = False


def verify(path: Path) -> Verification:
    """Read a run through and compare it with its manifest, hashes and checksums.

    Every part must have the bytes of its hash in `range.json`, pages of their checksums, the
    columns of the manifest, and the rows of its batches in order; all parts together every example
    once, with the ids of the manifest's digest. Memory is that of one row group.
    """
    manifest = read_manifest(path)
    config, expected = manifest["config"], expected_parts(manifest)
    ranges = Ranges(path, expected.batches, manifest.get("range_batches"))
    result = Verification(path, expected.count)
    if digest(config) != manifest["hash"]:
        result.defects.append("manifest.json is damaged: its hash is not that of its config.")
    sha = digest_items(_verified_ids(result, ranges, expected))
    result.defects += [f"{_place(path, d.part.path)} {d.reason}." for d in result.damaged]
    holes = gaps(result.sound, expected)
    result.defects += [_hole(hole, result.count) for hole in holes]
    if not holes and expected.batch_size is None and result.rows != result.count:
        result.defects.append(f"There are {result.rows} rows of {result.count} examples.")
    _compare_marks(result, ranges)
    stored, complete = config["data"].get("ids"), result.rows == result.count
    if complete and stored == sha:
        return result
    result.defects += _repetitions(result)
    if complete and stored is not None:
        result.ids_differ = True
        result.defects.append("The ids are not those of the manifest, or in another order.")
    else:
        result.notes.append("Ids are compared with the manifest once every row is there.")
    return result


def repair(result: Verification) -> None:
    """Set the damaged parts of a run aside, so that the same sweep computes their rows again.

    Raises `InputError` where another process is writing them.
    """
    for folder in sorted({damage.part.path.parent for damage in result.damaged}):
        with Claim(folder):
            damaged = [
                d for d in result.damaged if d.part.path.parent == folder and d.part.path.exists()
            ]
            entries = set_aside(folder, damaged, "examples")
            if folder == result.path:
                note_set_aside(folder, entries)


def _verified_ids(result: Verification, ranges: Ranges, expected: Any) -> Iterator[str]:
    """Yield the ids of all sound parts, in order, while the parts are sorted into the result."""
    marks: dict[Path, Any] = {}  # of the latest folder
    for part in parts(ranges.path):
        folder = part.path.parent
        if folder not in marks:
            marks = {folder: read_mark(folder)}
        reason = _other_bytes(part, marks[folder]) or damage_of(part, expected, full=True)
        last = result.sound[-1] if result.sound else None
        if not reason and last is not None and part.first <= last.last:
            reason = f"repeats batches of {last.path.name}"
        number = part.first // ranges.length if ranges.length else 0
        inside = folder == ranges.folder(number) and part.last in ranges.numbers(number)
        if not reason and not inside:
            reason = "is not in the folder of its range"
        if reason:
            result.damaged.append(Damage(part, reason))
            continue
        result.sound.append(part)
        for ids, indices in _keys(part):
            result.rows += len(indices)
            yield from ids


def _keys(part: Part) -> Iterator[tuple[list[str], list[int]]]:
    """Yield the ids and indices of a part by row group."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(part.path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=["id", "index"])
            yield table["id"].to_pylist(), table["index"].to_pylist()


def _other_bytes(part: Part, mark: dict[str, Any] | None) -> str:
    """Return the difference of a part from its mark, "" if there is none or it cannot be read."""
    file = (mark or {"parts": {}})["parts"].get(part.path.name)
    if file is None or not part.path.is_file():
        return ""
    now = describe_file(part.path)
    if now["bytes"] != file["bytes"]:
        return f"has {now['bytes']} bytes, {file['bytes']} when it was written"
    return "" if now["sha256"] == file.get("sha256") else f"has another SHA-256 than in {MARK}"


def _compare_marks(result: Verification, ranges: Ranges) -> None:
    """Compare the parts that `range.json` names with those on disk."""
    damaged = {d.part.path for d in result.damaged}
    names: dict[Path, set[str]] = {}
    for part in result.sound:
        names.setdefault(part.path.parent, set()).add(part.path.name)
    for number in range(len(ranges)):
        folder = ranges.folder(number)
        if process := writing_process(folder):
            result.notes.append(f"{_place(result.path, folder)} is being written by {process}.")
        mark = read_mark(folder)
        place = _place(result.path, folder / MARK)
        if mark is None:
            if (folder / MARK).exists():
                result.defects.append(f"{place} is damaged.")
            elif folder in names:
                result.notes.append(f"{place} is not there: pages have checksums, parts no hashes.")
            continue
        present = names.get(folder, set())
        for name in sorted(set(mark["parts"]) - present):
            if folder / name not in damaged:
                result.defects.append(f"{_place(result.path, folder / name)} is not there.")
        for name in sorted(present - set(mark["parts"])):
            result.defects.append(f"{place} does not name {name}.")


def _repetitions(result: Verification) -> list[str]:
    """Return sentences on ids of several rows; few ids are in memory at once."""
    sentences: list[str] = []
    passes = -(-result.rows // IDS_AT_ONCE)
    for current in range(passes):
        first: dict[str, int] = {}
        for part in result.sound:
            for ids, indices in _keys(part):
                for name, index in zip(ids, indices, strict=True):
                    if hash(name) % passes != current:
                        continue
                    if name in first:
                        sentences.append(f"Id {name!r} has rows {first[name]} and {index}.")
                    first.setdefault(name, index)
                    if len(sentences) == SHOWN:
                        return sentences
    return sentences


def _hole(hole: range, count: int) -> str:
    return f"Examples {hole.start} to {hole.stop - 1} of {count} have no row."


def _place(path: Path, file: Path) -> str:
    return str(file.relative_to(path)) if file != path else "the run"
