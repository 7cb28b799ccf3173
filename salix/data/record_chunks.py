"""Sizes of the chunks of an ArrayRecord file, checked before its reader unpacks any.

A file is a sequence of chunks in Riegeli's format, each with a header of 40 bytes, interrupted by a
block header of 24 bytes at each multiple of 64 KiB (github.com/google/riegeli, `doc/
riegeli_records_file_format.md`).
"""

import struct
from pathlib import Path

from salix.data.bounds import MAX_FILE
from salix.data.regular_file import open_file
from salix.typing import InputError

DAMAGED = "is no ArrayRecord file, or damaged or truncated: make or fetch it again"
BLOCK, BLOCK_HEADER, CHUNK_HEADER = 1 << 16, 24, 40
USABLE = BLOCK - BLOCK_HEADER
TYPES = b"smprt"  # signature of the file, its metadata, padding, records, transposed records


def check_chunks(path: Path, size: int) -> None:
    """Raise `InputError` for a file of other chunks, or with one too large when unpacked."""
    place = 0
    with open_file(path) as file:
        while place < size:
            file.seek(place)
            start = file.read(CHUNK_HEADER + BLOCK_HEADER)
            header = _without_block_header(start, place)
            if len(header) < CHUNK_HEADER:
                raise InputError(f"{path} {DAMAGED}")
            data, kind, unpacked = struct.unpack("<8xQ8xQQ", header)
            count = kind >> 8
            if kind & 255 not in TYPES or data > size:
                raise InputError(f"{path} {DAMAGED}")
            if unpacked > MAX_FILE:
                raise InputError(
                    f"{path} has a chunk of {unpacked / 1e6:,.0f} MB when unpacked, over "
                    f"{MAX_FILE / 1e6:,.0f}: write it with the option group_size:1"
                )
            place = max(_add(place, CHUNK_HEADER + data), _possible_start(place + count))


def _without_block_header(content: bytes, place: int) -> bytes:
    """Return the header of a chunk at `place`, without the block header that may interrupt it."""
    before = -place % BLOCK  # bytes of the block that are left
    if before < CHUNK_HEADER:
        content = content[:before] + content[before + BLOCK_HEADER :]
    return content[:CHUNK_HEADER]


def _add(place: int, size: int) -> int:
    """Return the place after `size` bytes of chunks, block headers not counted."""
    headers = (size + (place + USABLE - 1) % BLOCK) // USABLE
    return place + size + headers * BLOCK_HEADER


def _possible_start(place: int) -> int:
    """Return the first place from `place` on that is not inside of a block header or at its end."""
    return place + max(0, -place % BLOCK - (USABLE - 1))
