"""Data sets that the command line names by their layout: `ffpp:ROOT#c23`, `folder:ROOT/…`."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from salix.data.class_folders import folder_names
from salix.data.frame_choice import FrameChoice
from salix.data.layouts.build import build_source
from salix.data.layouts.celebdf import list_celebdf
from salix.data.layouts.deepfakebench import list_deepfakebench
from salix.data.layouts.dfdc import list_dfdc
from salix.data.layouts.entries import Entry, Listed
from salix.data.layouts.ffpp import list_ffpp
from salix.data.layouts.genimage import list_genimage
from salix.data.layouts.pattern import list_pattern, split_root
from salix.data.layouts.source import LayoutSource
from salix.data.layouts.walk import files_below
from salix.typing import InputError

_PART = re.compile(r"[\w.+ -]+(/[\w.+ -]+)*")


class LayoutPlace(NamedTuple):
    """A data set as the command line names it: `LAYOUT:PATH`, `LAYOUT:PATH#PART`."""

    layout: str
    path: Path  # a folder, or the list of a data set
    pattern: str = ""  # of paths below the folder
    part: str = ""  # split, compression

    @property
    def name(self) -> str:
        """The name of the folder or list, which begins ids where there are several sources."""
        stem = self.path.stem if self.path.suffix == ".json" else self.path.absolute().name
        return stem + (f"#{self.part}" if self.part else "")


def parse_layout(text: str) -> LayoutPlace | None:
    """Parse the text of a data set, None where it begins with no layout's name."""
    layout, colon, place = text.partition(":")
    if not colon or layout not in LAYOUTS:
        return None
    place, part = _split_part(place)
    if not place:
        raise InputError(f"{text!r} names no folder: write {layout}:DIR")
    path, pattern = split_root(place) if layout == "folder" else (Path(place).expanduser(), "")
    return LayoutPlace(layout, path, pattern, part)


def open_layout(
    place: LayoutPlace, *, root: Path | None = None, frames: FrameChoice | None = None
) -> LayoutSource:
    """Open a data set; `root` is the folder of the files that a list names."""
    folder, listed = LAYOUTS[place.layout](place, root)
    return build_source(folder, listed, frames)


def _split_part(place: str) -> tuple[str, str]:
    """Split the part behind the last `#` off, unless the text is a path as it stands."""
    head, _, part = place.rpartition("#")
    is_part = head and _PART.fullmatch(part) and not Path(place).expanduser().exists()
    return (head, part) if is_part else (place, "")


def _folder(place: LayoutPlace, root: Path | None) -> tuple[Path, Listed]:
    del root
    return place.path, list_pattern(place.path, place.pattern, place.part)


def _videos(place: LayoutPlace, root: Path | None) -> tuple[Path, Listed]:
    """List the videos below a folder, whose classes are folders as those of a folder of images."""
    del root
    if place.part:
        raise InputError(f"videos:{place.path} has no parts: leave out #{place.part}")
    files = files_below(place.path, kind="video")
    return place.path, Listed(
        [Entry(f, label, f) for f, label in zip(files, folder_names(files), strict=True)]
    )


def _deepfakebench(place: LayoutPlace, root: Path | None) -> tuple[Path, Listed]:
    return list_deepfakebench(place.path, place.part, root)


def _of_root(
    list_files: Callable[[Path, str], Listed], place: LayoutPlace, root: Path | None
) -> tuple[Path, Listed]:
    del root
    return place.path, list_files(place.path, place.part)


LAYOUTS: Mapping[str, Callable[[LayoutPlace, Path | None], tuple[Path, Listed]]] = MappingProxyType(
    {
        "folder": _folder,
        "videos": _videos,
        "deepfakebench": _deepfakebench,
        "ffpp": partial(_of_root, list_ffpp),
        "celebdf": partial(_of_root, list_celebdf),
        "dfdc": partial(_of_root, list_dfdc),
        "genimage": partial(_of_root, list_genimage),
    }
)
LISTS = ("deepfakebench",)  # that name files below a root of their own
UNLABELLED = ("folder", "videos")  # that may stand behind CLASS=
