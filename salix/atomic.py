"""Files that are complete or absent, never partial."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path


def temporary(path: Path) -> Path:
    """Return the temporary name of a file: it has the host and the process that write it."""
    return path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")


@contextlib.contextmanager
def atomic(path: Path, *, new: bool = False) -> Iterator[Path]:
    """Give a temporary name to write to; at the end the file is synced and renamed to `path`.

    If `new`, a file that another process has created meanwhile stays, with `FileExistsError`. After
    an error the temporary file is removed; an `OSError` then has `path` as its file.
    """
    unfinished = temporary(path)
    try:
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        if new:
            _create(unfinished, path)
        else:
            os.replace(unfinished, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        if isinstance(error, OSError):
            raise named_error(error, path) from error
        raise


def _create(unfinished: Path, path: Path) -> None:
    """Rename a file to a name that does not exist yet, where the file system has hard links."""
    try:
        os.link(unfinished, path)
    except FileExistsError:
        raise
    except OSError:  # without them, another process may come between
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        os.replace(unfinished, path)
    else:
        unfinished.unlink()


def named_error(error: OSError, path: Path) -> OSError:
    """Return an error of the system with the name of the file; libraries may give text alone."""
    numbers = (n for n in (errno.ENOSPC, errno.EDQUOT, errno.EIO) if os.strerror(n) in str(error))
    number = error.errno or next(numbers, None)
    return error if number is None else OSError(number, os.strerror(number), str(path))
