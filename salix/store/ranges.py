"""Ranges of a run: whole batches in a row, each computed by one worker into a folder of its own.

A run of several ranges has the folder `range=000012` for each, with its parts, the claim of its
worker, and `range.json` once every row is written. A run of one range has all of these in its own
directory.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salix.atomic import atomic
from salix.store.manifest import NAME as MANIFEST
from salix.store.manifest import expected_parts, read_manifest
from salix.store.parts import Damage, parts, sound_parts
from salix.typing import InputError

EXAMPLES = 10_000  # of a range, about
MARK = "range.json"


@dataclass(frozen=True)
class Ranges:
    """The ranges of a run of `batches` batches, of `length` batches each, the last one of fewer.

    `length` is None for a run of one range.
    """

    path: Path
    batches: int
    length: int | None

    def __len__(self) -> int:
        return 1 if self.length is None else -(-self.batches // self.length)

    def folder(self, number: int) -> Path:
        """Return the directory of a range's parts."""
        return self.path if self.length is None else self.path / f"range={number:06d}"

    def numbers(self, number: int) -> range:
        """Return the batches of a range."""
        length = self.length or self.batches
        return range(number * length, min((number + 1) * length, self.batches))

    def is_finished(self, number: int) -> bool:
        """Whether a range has its mark and the files that it names, in their sizes.

        The parts of a run of one range are read and compared with their checksums; it may have no
        mark.
        """
        is_one = self.length is None
        if is_one and self.unfinished(number) != ([], []):
            return False
        folder = self.folder(number)
        mark = read_mark(folder)
        if mark is None:
            return is_one
        sizes = {name: file["bytes"] for name, file in mark["parts"].items()}
        try:
            return sizes == {part.path.name: part.path.stat().st_size for part in parts(folder)}
        except FileNotFoundError:  # a dangling link, or set aside meanwhile
            return False

    def unfinished(self, number: int) -> tuple[list[int], list[Damage]]:
        """Return the batches of a range without rows on disk, and its parts that are damaged.

        All parts are read and compared with their checksums.
        """
        folder, numbers = self.folder(number), self.numbers(number)
        if not folder.is_dir():
            return list(numbers), []
        sound, damaged = sound_parts(folder, expected_parts(read_manifest(self.path)), full=True)
        finished = {batch for part in sound for batch in range(part.first, part.last + 1)}
        return sorted(set(numbers) - finished), damaged

    def mark(self, number: int, **about: Any) -> None:
        """Enter the parts of a finished range, with sizes, hashes and `about`, in its folder."""
        folder = self.folder(number)
        files = {part.path.name: describe_file(part.path) for part in parts(folder)}
        content = json.dumps({"parts": files, **about}, indent=1, ensure_ascii=False)
        with atomic(folder / MARK) as unfinished:
            unfinished.write_text(content + "\n", encoding="utf-8")


def count_examples(batches: Collection[int], size: int, count: int) -> int:
    """Return the number of examples in some batches of `size`, of `count` examples in all."""
    has_last = (count - 1) // size in batches
    return len(batches) * size - has_last * (-count % size)


def describe_file(path: Path) -> dict[str, Any]:
    """Return the size in bytes and the sha256 of a file."""
    with path.open("rb") as file:
        sha = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": sha}


def read_mark(folder: Path) -> dict[str, Any] | None:
    """Return the mark of a finished range; None where there is none that can be read."""
    try:
        mark = json.loads((folder / MARK).read_bytes())
        sizes = {name: file["bytes"] for name, file in mark["parts"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return mark if sizes else None


def choose_length(path: Path, batch_size: int, count: int, range_size: int | None) -> int | None:
    """Return the batches of a range: those of the run in `path`, or what a new one should have.

    `range_size` is the number of examples that the caller asks for, `EXAMPLES` if None. Raises
    `InputError` where the run in `path` has another one.
    """
    if range_size is not None and range_size < 1:
        raise InputError(f"range_size is {range_size}: give at least 1")
    length = -(-(range_size or EXAMPLES) // batch_size)
    chosen = length if count > length * batch_size else None
    if not (path / MANIFEST).exists():
        return chosen
    stored = read_manifest(path).get("range_batches")
    if range_size is not None and stored != chosen:
        has = "one range" if stored is None else f"ranges of {stored * batch_size} examples"
        raise InputError(
            f"{path} holds a run of {has}, which --range-size {range_size} would cut otherwise: "
            "leave the option out, or use a new --out"
        )
    return stored
