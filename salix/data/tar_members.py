"""Members of a tar file that may be examples: their names, offsets and sizes; nothing is unpacked.

A member is left out, and counted, where its name is absolute or has `..`, a backslash or a control
character, and where it is a link, a device or a sparse file. A compressed, damaged or truncated
file is refused, and so is one with more than 1 MiB of metadata for a member.
"""

import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from salix.data.bounds import Unreadable
from salix.data.image_paths import id_of, is_passed_over
from salix.data.remote import BinaryFile
from salix.data.url import Url
from salix.typing import InputError

COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
MAX_HEADER = 1 << 20  # bytes of a member's name and other metadata
MAX_NAME = 4096  # characters
_CONTROL = re.compile("[\x00-\x1f\x7f\\\\]")


class Member(NamedTuple):
    """A file in a tar file: its name in UTF-8, and where its bytes lie."""

    name: str
    offset: int
    size: int


def members(place: Path | Url, file: BinaryFile, left_out: Counter[str]) -> Iterator[Member]:
    """Yield the regular files of an opened tar file in their order; counts others in `left_out`.

    One pass over the headers, which needs the memory of one. Raises `InputError`, naming `place`,
    for what is no plain tar file.
    """
    start = file.read(8)
    file.seek(0)
    for magic, name in COMPRESSED.items():
        if start.startswith(magic):
            raise InputError(
                f"{place} is compressed ({name}), so that no image in it can be read by itself: "
                "unpack it, or write it as a plain .tar"
            )
    try:
        yield from _members(place, file, left_out)
    except (InputError, Unreadable):
        raise
    except Exception as error:  # a hostile header can raise nearly anything inside tarfile
        reason = str(error) or type(error).__name__
        raise InputError(f"{place} cannot be read as a tar file: {reason}"[:400]) from None


def _members(place: Path | Url, file: BinaryFile, left_out: Counter[str]) -> Iterator[Member]:
    headers: Any = _Headers(file)
    tar: Any = tarfile.TarFile(fileobj=headers, encoding="utf-8")
    end = 0
    while (info := tar.next()) is not None:
        tar.members = []  # which would grow by each
        if tar.offset <= end:
            raise InputError(f"{place} is damaged: the member at byte {end} leads back")
        end = tar.offset
        if (reason := _refusal(info)) is not None:
            left_out[reason] += 1
        elif info.isreg():
            name = "/".join(part for part in info.name.split("/") if part not in ("", "."))
            if not any(map(is_passed_over, name.split("/"))):
                yield Member(id_of(name), info.offset_data, info.size)
    file.seek(tar.offset)
    if file.read(tarfile.BLOCKSIZE).strip(b"\0"):  # tarfile takes it for the end
        raise InputError(f"{place} is damaged at byte {tar.offset}: make or fetch it again")


def _refusal(info: tarfile.TarInfo) -> str | None:
    """Return why a member is left out, None if it is not."""
    if info.issym() or info.islnk():
        return "links"
    if info.isdev():
        return "devices"
    if info.issparse():
        return "sparse files"
    name = info.name
    if name.startswith("/") or ".." in name.split("/"):
        return "names that lead out of the folder"
    if len(name) > MAX_NAME or _CONTROL.search(name):
        return "names with a backslash, a control character or over 4096 characters"
    return None if info.isreg() or info.isdir() else "members of an unknown type"


class _Headers:
    """File for `tarfile`, which reads headers alone: longer reads are refused."""

    def __init__(self, file: Any):
        self.seek, self.tell = file.seek, file.tell
        self._file = file

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_HEADER:
            raise ValueError(f"a member with {size:,} bytes of metadata, at most {MAX_HEADER:,}")
        return self._file.read(size)
