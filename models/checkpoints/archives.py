"""Members of zip archives, read after their sizes are checked against the file."""

import shutil
import zipfile
from pathlib import Path

from salix.models.checkpoints.errors import printable
from salix.models.checkpoints.isolated import array_limit
from salix.typing import InputError

__all__ = ["checked_members", "extract"]

_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others may take gigabytes to unpack


def checked_members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the members of an archive by name, none encrypted and none a zip bomb."""
    members = {item.filename: item for item in archive.infolist()}
    if len(members) < len(archive.infolist()):
        raise InputError("has two members of one name")
    for item in members.values():
        if item.flag_bits & 1 or item.compress_type not in _PLAIN:
            raise InputError(
                f"has an encrypted or oddly compressed member {printable(item.filename)}"
            )
    total = sum(item.file_size for item in members.values())
    if total > array_limit(path.stat().st_size):
        raise InputError(f"declares {total} bytes of members, more than its size explains")
    return members


def extract(archive: zipfile.ZipFile, item: zipfile.ZipInfo, path: Path) -> Path:
    """Write one member to `path` and return it."""
    with archive.open(item) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    return path
