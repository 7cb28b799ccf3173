"""Errors of the checkpoint readers: an InputError of one printable line that names the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from salix.typing import InputError

__all__ = ["existing_file", "first_bytes", "input_errors", "printable"]


def printable(text: str) -> str:
    """Return text from a file as at most 80 characters, those beyond printable ASCII escaped."""
    return ascii(text if len(text) <= 80 else text[:77] + "...")[1:-1]


def existing_file(path: str | Path) -> Path:
    """Return `path` after checking that it is a file."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return path


def first_bytes(path: Path, count: int) -> bytes:
    """Return the first `count` bytes of a file, fewer where it is shorter."""
    with path.open("rb") as file:
        return file.read(count)


@contextmanager
def input_errors(path: Path, kind: str, *damage: type[Exception]) -> Iterator[None]:
    """Raise the errors of a reader as an InputError that names the file `path`.

    `kind` is what the file should be, with its article; `damage` are the exceptions that a parser
    raises at malformed bytes.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except damage as error:
        first_line = f"{type(error).__name__}: {error}".strip().split("\n")[0]
        raise InputError(f"{path}: damaged, or not {kind} ({printable(first_line)})") from None
