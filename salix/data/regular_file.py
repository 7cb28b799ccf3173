"""Reading of regular files, which never waits for a pipe or a device, and of remote ones."""

import errno
import os
import stat
from pathlib import Path
from typing import IO

from salix.data.bounds import MAX_FILE, Unreadable
from salix.data.remote import RemoteFile, read_url
from salix.data.url import Url

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_file(path: Path | Url, *, start: int = 0, first: int | None = None) -> bytes:
    """Return the content of a file, or `first` bytes from `start`; raises `Unreadable`.

    A file over `MAX_FILE` is refused, unless only its `first` bytes are asked for.
    """
    if isinstance(path, Url):
        return read_url(path, start=start, first=first)
    try:
        with _open(path) as file:
            if first is None and (size := os.fstat(file.fileno()).st_size) > MAX_FILE:
                megabytes = (f"{size / 1e6:,.0f} MB" for size in (size, MAX_FILE))
                raise Unreadable("file of " + ": over ".join(megabytes))
            file.seek(start)
            return file.read(MAX_FILE if first is None else first)
    except OSError as error:
        raise Unreadable(read_failure(error, path)) from None


def open_file(path: Path | Url) -> IO[bytes] | RemoteFile:
    """Open a regular or remote file for reading; raises `Unreadable`."""
    return RemoteFile(path) if isinstance(path, Url) else _open(path)


def _open(path: Path) -> IO[bytes]:
    """Open a regular file for reading; raises `Unreadable`.

    Its kind is checked before it is opened, for the opening of a pipe waits for another program and
    that of a device may do anything, and once more after, for another file may have taken its name.
    """
    try:
        _check_kind(os.stat(path).st_mode)
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        file = open(os.open(path, flags), "rb")  # noqa: SIM115
        try:
            _check_kind(os.fstat(file.fileno()).st_mode)
        except Unreadable:
            file.close()
            raise
        return file
    except OSError as error:
        raise Unreadable(read_failure(error, path)) from None
    except ValueError as error:  # Unreadable, or a name with a null character
        raise error if isinstance(error, Unreadable) else Unreadable(str(error)) from None


def read_failure(error: OSError, path: Path | str) -> str:
    """Return the reason of a failed access, without the path, which a row has as its id."""
    if error.errno == errno.ENOENT and os.path.islink(path):
        return "a link to a file that does not exist"
    return error.strerror or type(error).__name__


def kind_of(mode: int) -> str:
    """Return the name of a kind of file that is not regular."""
    return KINDS.get(stat.S_IFMT(mode), "no regular file")


def _check_kind(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise Unreadable(f"{kind_of(mode)}, not a file")
