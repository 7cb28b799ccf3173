"""Rows of a table of images: columns by their names, paths in one spelling."""

import difflib
import itertools
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from salix.data.class_labels import Label, plain_label
from salix.data.image_paths import SUFFIXES, suffix_of
from salix.data.notes import note
from salix.data.source import group_name
from salix.data.table_files import Cells
from salix.data.table_links import address, local_text
from salix.data.url import Url, is_url, public
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


class TableRow(NamedTuple):
    """One image of a table; `number` counts lines or rows (`unit`)."""

    path: str
    label: Label
    map: str | None
    group: str | None
    number: int
    unit: str
    link: str | None = None  # the whole address of the image, where `path` leaves credentials out

    @property
    def place(self) -> str:
        """The line or row, for messages."""
        return f"{self.unit} {self.number}"


def read_rows(file: Path | Url, cells: Cells) -> list[TableRow]:
    """Return the rows of a table, sorted by path; raises `InputError`."""
    columns = match_columns(file, cells.header)
    bases = ("", "")
    if not isinstance(file, Url):
        bases = (os.path.abspath(file.parent), os.path.realpath(file.parent))
    rows = []
    for number, values in cells.rows:
        named = {c: values[k] for c, k in columns.items()}
        if all(v is None or (isinstance(v, str) and not v.strip()) for v in values):
            continue
        place = f"{cells.unit} {number}"
        try:
            label, group = plain_label(named.get("label")), group_name(named.get("group"))
        except InputError as error:
            raise InputError(f"{file}, {place}: {error}") from None
        label = label.strip() if isinstance(label, str) else label
        path, map = (_path(file, place, c, named.get(c), bases) for c in ("path", "map"))
        shown = public(path) if path and is_url(path) else path or ""
        link = path if path and shown != path else None
        rows.append(TableRow(shown, label, map, group, number, cells.unit, link))
    if not rows:
        raise InputError(f"{file} has no row below its header: list images, path and label")
    rows.sort(key=lambda row: row.path)  # equal ones stay in the order of the file
    pairs = ((a, b) for a, b in itertools.pairwise(rows) if a.path == b.path and b.path)
    wrong = [(row, None) for row in rows[:1] if not row.path] + [(b, a) for a, b in pairs]
    if wrong:
        row, other = min(wrong, key=lambda pair: pair[0].number)
        earlier = f" (it is that of {other.place})" if other is not None else ""
        raise InputError(
            f"{file}, {row.place}: path {row.path!r} is empty or repeated{earlier}: list each "
            "image once"
        )
    return rows


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


def _path(
    file: Path | Url, place: str, column: str, value: Any, bases: tuple[str, str]
) -> str | None:
    """Return the one spelling of a path, None where it is empty.

    `bases` are the folder of the file as an absolute path, and without links.
    """
    if isinstance(value, bytes):
        value = os.fsdecode(value)
    if value is None or value != value or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str):
        raise InputError(
            f"{file}, {place}: {column} {value!r} is a {type(value).__name__}: give the path of "
            "an image"
        )
    if any(c in value for c in "\n\r\0"):
        raise InputError(
            f"{file}, {place}: {column} {value[:40]!r} has a line break or null character: close "
            "the quotation marks above it"
        )
    if (local := local_text(file, path := value.strip())) is None or isinstance(file, Url):
        return address(file, place, column, path)
    folder = file.parent
    if local != path:
        path = value = local
    if path != value and not (folder / path).exists() and (folder / value).exists():
        path = value
    if "\\" in path and not (folder / path).exists():  # as Windows writes paths
        path = path.replace("\\", "/")
    if not path.isascii() and not os.path.lexists(folder / path):
        path = next((p for p in _encodings(path) if os.path.lexists(folder / p)), path)
    if path.startswith("~/"):
        path = os.path.expanduser(path)
    if ".." in path.split("/"):  # a link before `..` leads elsewhere
        plain = os.path.normpath(os.path.join(bases[0], path))
        if os.path.realpath(plain) == os.path.realpath(folder / path):
            below = PurePosixPath(plain).is_relative_to(bases[0])
            path = plain if below else os.path.normpath(path)
    for base in bases if os.path.isabs(path) else ():
        if PurePosixPath(path).is_relative_to(base):
            path = os.path.relpath(path, base)
            break
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return "/" * path.startswith("/") + "/".join(parts) or "."


def _encodings(path: str) -> Iterator[str]:
    """Yield a path as other systems write it: accents apart or composed, Windows-1252."""
    yield unicodedata.normalize("NFC", path)
    yield unicodedata.normalize("NFD", path)
    with suppress(UnicodeEncodeError):
        yield os.fsdecode(path.encode("cp1252"))
