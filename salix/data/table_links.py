"""Addresses of remote files in the cells of a table."""

import posixpath
from pathlib import Path

from salix.data.filesystems import require
from salix.data.url import Url, is_url, place_of
from salix.typing import InputError


def local_text(file: Path | Url, text: str) -> str | None:
    """Return the path that a cell of a local table names, None where it names a remote file."""
    if isinstance(file, Url):
        return None
    if not is_url(text):
        return text
    place = place_of(text)
    return None if isinstance(place, Url) else str(place)


def address(file: Path | Url, place: str, column: str, text: str) -> str:
    """Return the full address that a cell names, of one spelling; raises `InputError`.

    The paths of a remote table are addresses too, or lie below its folder: it names no file of this
    machine.
    """
    if is_url(text):
        try:
            url = Url(text)
            require(url)
        except InputError as error:
            raise InputError(f"{file}, {place}: {error}") from None
        if not (isinstance(file, Url) and url.is_local and not file.is_local):
            return text
    elif isinstance(file, Url):
        path = posixpath.normpath(text.replace("\\", "/"))
        if not path.startswith(("/", "../")) and path not in (".", ".."):
            return (file.parent / path).full
    raise InputError(
        f"{file}, {place}: {column} {text[:80]!r} does not lie below the table's folder: "
        "give addresses such as s3://bucket/a.png, or paths relative to the table's folder"
    )
