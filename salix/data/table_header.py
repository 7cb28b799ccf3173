"""Columns of a table of images by the names in its header."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from salix.data.image_paths import SUFFIXES, suffix_of
from salix.data.notes import note
from salix.data.url import Url
from salix.typing import InputError

COLUMNS = ("path", "label", "map", "group")
# Names that people give to the same columns, without case, spaces, hyphens and underscores.
SYNONYMS: Mapping[str, frozenset[str]] = {
    "path": frozenset(
        {"paths", "filepath", "filename", "file", "files", "fname", "image", "images", "img"}
        | {"imagepath", "imgpath", "imagefile", "imagename", "imagefilename", "imageid", "src"}
        | {"picture", "photo", "uri", "url", "name", "location", "filepaths", "filenames"}
    ),
    "label": frozenset(
        {"labels", "class", "classes", "target", "targets", "category", "classname", "cls"}
        | {"groundtruth", "classid", "classlabel", "labelname", "truth", "gt", "isfake"}
    ),
    "map": frozenset(
        {"maps", "mask", "masks", "heatmap", "referencemask", "maskpath", "mappath", "saliency"}
    ),
    "group": frozenset(
        {"groups", "video", "videoid", "identity", "identityid", "subject", "subjectid", "person"}
        | {
            "groupid",
            "clip",
            "clipid",
            "patient",
            "patientid",
            "personid",
            "videoname",
            "groupname",
        }
    ),
}


def match_columns(file: Path | Url, header: Sequence[str]) -> dict[str, int]:
    """Return the position of each known column in a header, without case and spaces.

    Raises `InputError` for a table without `path`, for a repeated column, and for a name that can
    only mean a column that is missing; a name that may mean one is logged.
    """
    names = [name.strip().strip("'\"").strip().casefold() for name in header]
    columns = {c: names.index(c) for c in COLUMNS if c in names}
    if len(names) == 1 and "path" in (parts := names[0].split()) and len(parts) > 1:
        raise InputError(f"{file}: {header[0]!r} is one column: separate columns by commas")
    if repeated := [c for c in columns if names.count(c) > 1]:
        raise InputError(f"{file} has several columns {repeated[0]}: keep one of them")
    if not columns and any(suffix_of(n) in SUFFIXES for n in header):
        raise InputError(
            f"{file} has no header: its first line is {', '.join(header)!r}; write the names of "
            f"the columns above it, for example {','.join(COLUMNS[: len(header)])}"
        )
    missing = [c for c in COLUMNS if c not in columns]
    for k, name in enumerate(names):
        plain = "".join(ch for ch in name if ch not in " _-")
        if not plain or name in columns:
            continue
        alike = [c for c in missing if plain in SYNONYMS[c] or (c == "label" and c in plain)]
        typo = [] if alike else difflib.get_close_matches(plain, missing, cutoff=0.75)
        if "path" in alike + typo or "label" in alike + typo or typo:
            raise InputError(
                f"{file} has a column {header[k]!r}, expected {', '.join(COLUMNS)}: did you mean "
                f"{(alike + typo)[0]}? Rename it to that, or to something else if not"
            )
        if alike:
            note(f"{file.name}: column {header[k]!r} is ignored: name it {alike[0]} if it is one")
    if "path" not in columns:
        raise InputError(f"{file} has columns {', '.join(header)}: expected {', '.join(COLUMNS)}")
    return columns
