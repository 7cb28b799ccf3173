"""Text of table files: encodings, and lines of bounded length."""

import codecs
import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

from salix.data.notes import note
from salix.data.regular_file import open_file, read_file
from salix.data.url import Url

BOMS = (("utf-8-sig", b"\xef\xbb\xbf"), ("utf-16", b"\xff\xfe"), ("utf-16", b"\xfe\xff"))
BLOCK = 1 << 20  # bytes that are checked at a time
LONGEST = 1 << 24  # characters of a line


class Encoding(NamedTuple):
    """Encoding of a text file, and what to do with bytes that it does not have."""

    name: str
    errors: str = "strict"


def opener(file: Path | Url) -> Callable[[], IO[bytes]]:
    """Return a function that opens a file; raises `Unreadable`. A remote file is read once."""
    if isinstance(file, Url):
        return partial(io.BytesIO, read_file(file))
    return partial(_open, file)


def _open(file: Path) -> IO[bytes]:
    opened: Any = open_file(file)
    return opened


def detect_encoding(file: Path | Url, open_file: Callable[[], IO[bytes]]) -> Encoding:
    """Return UTF-8 or UTF-16 for a text in it, otherwise Windows-1252, which is logged."""
    decoder, read = codecs.getincrementaldecoder("utf-8")(), 0
    waiting = 0  # bytes of a character that the next block continues
    with open_file() as content:
        block = content.read(BLOCK)
        for encoding, mark in BOMS:
            if block.startswith(mark):
                return Encoding(encoding)
        if b"\0" in block[:2]:
            return Encoding("utf-16-be" if block[:1] == b"\0" else "utf-16-le")
        try:
            while block:
                waiting = len(decoder.getstate()[0])
                decoder.decode(block)
                read += len(block)
                block = content.read(BLOCK)
            waiting = len(decoder.getstate()[0])
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            place = read - waiting + error.start
            note(f"{file.name} is not UTF-8 (byte {place}): read as Windows-1252")
            return Encoding("cp1252", "replace")
    return Encoding("utf-8")


def open_text(
    open_file: Callable[[], IO[bytes]], encoding: Encoding, *, newline: str
) -> io.TextIOWrapper:
    """Open a text file in an encoding."""
    return io.TextIOWrapper(open_file(), encoding.name, encoding.errors, newline)


def lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield the lines of a text; raises `ValueError` for one that is too long for a table."""
    number = 0
    while line := text.readline(LONGEST):
        number += 1
        if len(line) == LONGEST and not line.endswith(("\n", "\r")):
            raise ValueError(f"line {number} has over {LONGEST:,} characters")
        yield line
