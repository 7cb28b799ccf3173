"""Names of image files: suffixes, names that are passed over, and ids in UTF-8."""

import re
from pathlib import PurePosixPath

from salix.data.decode import suffixes

SUFFIXES = tuple(sorted(suffixes()))
VIDEO_SUFFIXES = ("avi", "m4v", "mkv", "mov", "mp4", "webm")
# Folders and files of systems, archives and editors, which no one means as data.
PASSED_OVER = frozenset(
    {"__macosx", "@eadir", "#recycle", "@recycle", "$recycle.bin", "system volume information"}
    | {"lost+found", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
)
# What to do with files of these suffixes.
HINTS = {
    "install pillow-heif": ("heic", "heif", "hif"),
    "name their folder videos:DIR": VIDEO_SUFFIXES,
    "extract the frames": ("mpg", "mpeg", "wmv", "flv", "3gp"),
    "name the tar, or a folder of tars alone": ("tar",),
    "unpack": ("zip", "tgz", "gz", "bz2", "xz", "7z", "rar"),
    "give arrays in Python": ("npy", "npz", "pt", "mat"),
    "save as CSV": ("xlsx", "xls", "ods"),
    "convert to PNG": ("jxl", "svg", "psd", "eps", "ico", "exr", "dng", "cr2", "nef", "arw", "raw"),
}
# A byte that is not UTF-8, or text that reads as an escape of one.
_ESCAPED = re.compile(r"[\ud800-\udfff]|\\x[89a-f][0-9a-f]")


def suffix_of(name: str) -> str:
    """Return the suffix of a file's name in lower case, without the dot.

    Digits alone are no suffix but part of a name: `frame.0001`.
    """
    suffix = PurePosixPath(name).suffix.strip().lower()[1:]
    return "" if suffix.isdigit() else suffix


def is_video(name: str) -> bool:
    """Whether the suffix of a name is that of a video."""
    return suffix_of(name) in VIDEO_SUFFIXES


def without_suffix(id: str) -> str:
    """Return an id without the suffix of an image: other dots are part of a name."""
    path = PurePosixPath(id)
    return path.with_suffix("").as_posix() if suffix_of(id) in SUFFIXES else id


def is_passed_over(name: str) -> bool:
    """Whether a folder or file is never data: its name begins with a dot or is a system's own."""
    return name.startswith(".") or name.casefold() in PASSED_OVER


def hint(suffix: str) -> str:
    """Return what to do with a file of a suffix that is not read, "" where unknown."""
    return next((text for text, group in HINTS.items() if suffix in group), "")


def id_of(path: str) -> str:
    r"""Return the id of a path as Python names it: the path itself, if it is UTF-8.

    Bytes that are not UTF-8 are written `\xe9`, and backslashes of such a path doubled, so that
    `path_of` gives the path back.
    """
    if not _ESCAPED.search(path):
        return path
    return (
        path.replace("\\", "\\\\")
        .encode("utf-8", "surrogateescape")
        .decode("utf-8", "backslashreplace")
    )


def path_of(id: str) -> str:
    """Return the path of an id, the inverse of `id_of`."""
    if not _ESCAPED.search(id):
        return id
    return re.sub(
        r"\\(?:(\\)|x([89a-f][0-9a-f]))",
        lambda m: m[1] or chr(0xDC00 + int(m[2], 16)),
        id,
    )
