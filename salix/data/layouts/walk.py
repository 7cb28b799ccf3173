"""Images and videos below the root of a layout."""

import os
from pathlib import Path
from typing import Literal

from salix.data.image_paths import SUFFIXES, VIDEO_SUFFIXES, is_video
from salix.data.listing import Listing
from salix.data.notes import note
from salix.typing import InputError

LISTS = ("csv", "json", "md", "npy", "txt", "yaml")  # that stand beside images in data sets


def files_below(
    root: Path, *, folders: tuple[str, ...] = (), kind: Literal["any", "video"] = "any"
) -> list[str]:
    """Return the images and videos below a folder, or below some of its folders, relative to it.

    What `Listing` leaves out is logged on one line. Raises `InputError` for what is no folder, and
    where there is no such file.
    """
    if not root.is_dir():
        raise InputError(f"{root} is not a folder: give the root of the data set")
    files = []
    for folder in folders or ("",):
        if not (root / folder).is_dir():
            continue
        listing = Listing(root / folder, videos=True)
        for suffix in LISTS:
            del listing.suffixes[suffix]
        if line := listing.describe():
            note(f"{Path(root.name, folder)}: {line}")
        files += [Path(folder, file).as_posix() for file in listing.files]
    if kind == "video":
        files = [file for file in files if is_video(file)]
    if not files:
        where = f" in {', '.join(folders)}" if folders else ""
        suffixes = ", ".join((*SUFFIXES, *VIDEO_SUFFIXES) if kind == "any" else VIDEO_SUFFIXES)
        what = "image or video" if kind == "any" else "video"
        raise InputError(f"{root} contains no {what}{where} (of {suffixes}): check the path")
    return [file.replace(os.sep, "/") for file in files]
