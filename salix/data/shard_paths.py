"""Tar shards that a text names: a file, a folder of them, or a pattern of numbers in braces."""

import itertools
import os
import re
from collections.abc import Sequence

from salix.data.image_paths import SUFFIXES, is_passed_over, suffix_of
from salix.typing import InputError

MAX_SHARDS = 1_000_000
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def is_shard(name: str) -> bool:
    """Whether a file's name is that of a tar file, also of a compressed one."""
    return re.search(r"\.(tar|tgz|tar\.\w{1,4})$", name, re.IGNORECASE) is not None


def expand(text: str) -> list[str]:
    """Return the names of a pattern such as `shard-{000000..000012}.tar`, or the text alone.

    Numbers have leading zeros where those of the pattern do. Raises `InputError` for a range that
    goes down and for over a million names.
    """
    first, *rest = _RANGE.split(text)
    ranges = []
    total = 1
    for low, high in zip(rest[::3], rest[1::3], strict=True):
        if len(low) > 18 or len(high) > 18 or int(low) > int(high):
            raise InputError(f"{text}: {{{low}..{high}}} is no range: write the lower number first")
        total *= int(high) - int(low) + 1
        if total > MAX_SHARDS:
            raise InputError(f"{text} names over {MAX_SHARDS:,} shards: check the numbers")
        width = len(low) if low.startswith("0") or high.startswith("0") else 0
        ranges.append([f"{n:0{width}d}" for n in range(int(low), int(high) + 1)])
    texts = rest[2::3]
    return [
        first + "".join(n + t for n, t in zip(numbers, texts, strict=True))
        for numbers in itertools.product(*ranges)
    ]


def shards_in(folder: str | os.PathLike[str]) -> Sequence[str]:
    """Return the paths of the tar files in a folder, sorted; none if it has images or folders too.

    Other files beside them do not matter: webdataset's tools write lists and counts there.
    """
    shards = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_passed_over(entry.name):
                    continue
                if entry.is_dir() or suffix_of(entry.name) in SUFFIXES:
                    return []
                if is_shard(entry.name):
                    shards.append(entry.path)
    except OSError:  # the listing of the folder gives the reason
        return []
    return sorted(shards)
