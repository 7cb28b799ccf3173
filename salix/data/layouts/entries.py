"""Files of a data set as a layout lists them, in natural order."""

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

GROUPINGS = ("video", "source", "identity")


class Entry(NamedTuple):
    """One image or video of a data set, with the names that its layout gives.

    `file` and `mask` are relative to the root, or absolute. `video` is the path of the frames or of
    the video file; `source` is shared by a clip and all manipulations of it, `identity` by the
    clips of one person.
    """

    file: str
    label: str | None = None
    video: str | None = None
    source: str | None = None
    identity: str | None = None
    mask: str | None = None


class Listed(NamedTuple):
    """Entries of a layout, and the classes of their names where the layout knows them."""

    entries: list[Entry]
    class_of: Callable[[str], str] | None = None


def natural(path: str) -> tuple[Any, ...]:
    """Return a key that sorts by the numbers in names: `2.png` before `10.png`."""
    parts = re.split(r"(\d+)", path)
    return (*((int(p), p) if i % 2 else (0, p) for i, p in enumerate(parts)),)


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries by video, and frames of a video by their numbers."""
    return sorted(entries, key=lambda entry: (entry.video or "", natural(entry.file)))
