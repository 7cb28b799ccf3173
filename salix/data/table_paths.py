"""Paths in the cells of a table, in one spelling."""

import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from salix.data.table_links import address, local_text
from salix.data.url import Url
from salix.typing import InputError

# Relative paths of one spelling: no parts that begin with a dot, spaces, or other characters.
_PLAIN = re.compile(r"(?:[\w@=+,()-][\w.@=+,()-]*/)*[\w@=+,()-][\w.@=+,()-]*", re.ASCII)


def is_plain(file: Path | Url, value: Any) -> bool:
    """Whether `plain_path` returns the path in a cell as it is, known without its other tests."""
    return type(value) is str and isinstance(file, Path) and _PLAIN.fullmatch(value) is not None


def plain_path(
    file: Path | Url, place: str, column: str, value: Any, bases: tuple[str, str]
) -> str | None:
    """Return the one spelling of a path in a cell, None where it is empty.

    `bases` are the folder of the file as an absolute path, and without links. Raises `InputError`.
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
