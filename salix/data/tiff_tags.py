"""Tags of TIFF directories: those of EXIF blocks, and TIFF files reduced to one image."""

import struct
from collections.abc import Container, Mapping
from typing import NamedTuple

from salix.data.bounds import MAX_PIECES, Unreadable

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION, SAMPLES = (
    256, 257, 258, 259, 262, 274, 277,
)  # fmt: skip
STRIP_OFFSETS, STRIP_SIZES, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_SIZES = (
    273, 279, 322, 323, 324, 325,
)  # fmt: skip
SUBFILE, SAMPLE_FORMAT, MAXIMUM, SAMPLE_MAXIMUM, DNG = 254, 339, 281, 341, 50706
# Tags that a decoder of pixels needs: the above, fill order, rows of a strip, planes, fax options,
# predictor, palette, inks, extra samples, JPEG tables, YCbCr and LERC parameters.
PIXEL_TAGS = {WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, SAMPLE_FORMAT, STRIP_OFFSETS}
PIXEL_TAGS |= {STRIP_SIZES, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_SIZES, 266, 278, 284, 292}
PIXEL_TAGS |= {293, 317, 320, 332, 338, 347, *range(512, 522), *range(529, 533), 50674}
MAX_TILE = 1 << 24  # pixels
IMAGE_TAGS = PIXEL_TAGS | {ORIENTATION, SUBFILE, MAXIMUM, SAMPLE_MAXIMUM, DNG}
# Codes of `struct` for the types of values.
TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q"}


class Directory(NamedTuple):
    """The first directory of a TIFF block: byte order, entries as they are, values by tag."""

    order: str
    big: bool
    entries: Mapping[int, bytes]
    values: Mapping[int, tuple[float, ...]]


def read_directory(block: bytes, wanted: Container[int]) -> Directory | None:
    """Return the wanted tags of the first directory of a TIFF file, None where there is none.

    Values are integers and floats that lie in the block; others, however odd, are passed over.
    """
    order = {b"II*\0": "<", b"II+\0": "<", b"MM\0*": ">", b"MM\0+": ">"}.get(block[:4])
    if order is None:
        return None
    big = b"+" in block[:4]
    try:
        start = struct.unpack_from(order + ("Q" if big else "I"), block, 8 if big else 4)[0]
        count = struct.unpack_from(order + ("Q" if big else "H"), block, start)[0]
    except struct.error:
        return None
    size, start = (20, start + 8) if big else (12, start + 2)
    entries: dict[int, bytes] = {}
    values: dict[int, tuple[float, ...]] = {}
    for at in range(start, min(start + size * min(count, 65_535), len(block) - size + 1), size):
        entry = block[at : at + size]
        tag = struct.unpack_from(order + "H", entry)[0]
        if tag in wanted and tag not in entries:
            entries[tag] = entry
            values[tag] = _numbers(block, entry, order, big)
    return Directory(order, big, entries, {tag: v for tag, v in values.items() if v})


def orientation(block: bytes) -> int:
    """Return the orientation of an EXIF block, 1 to 8; 1 where it has none or an odd one."""
    directory = read_directory(block.removeprefix(b"Exif\0\0"), {ORIENTATION})
    value = 1 if directory is None else directory.values.get(ORIENTATION, (1,))[0]
    return int(value) if value in range(1, 9) else 1


def first_image(content: bytes, directory: Directory) -> bytes:
    """Return a TIFF file with a directory of its first image alone, without metadata.

    The new directory stands at the end; the data of the tags stay where they are. Raises
    `Unreadable` for strips or tiles that are too many, or longer than the file.
    """
    values, order, big = directory.values, directory.order, directory.big
    entries = {tag: e for tag, e in sorted(directory.entries.items()) if tag in PIXEL_TAGS}
    for tag, entry in entries.items():
        if (count := struct.unpack_from(order + ("Q" if big else "I"), entry, 4)[0]) > MAX_PIECES:
            raise Unreadable(f"TIFF whose tag {tag} has {count:,} values: over {MAX_PIECES:,}")
    if values.get(PHOTOMETRIC) == (0,) and values.get(BITS, (1,))[0] > 8:
        # Pillow inverts only up to 8 bits, and reads fewer types so; `salix.data.levels` inverts.
        at = 12 if big else 8
        entries[PHOTOMETRIC] = (
            entries[PHOTOMETRIC][:at] + struct.pack(order + "HH", 1, 0) + bytes(at - 8)
        )
    sizes = values.get(STRIP_SIZES, ()) or values.get(TILE_SIZES, ())
    if values.get(COMPRESSION, (1,))[0] != 1 and sum(sizes) > 2 * len(content):
        raise Unreadable(
            f"TIFF with strips of {sum(sizes):,.0f} bytes in a file of {len(content):,}: damaged"
        )
    sides = [values.get(tag, (0,))[0] for tag in (TILE_WIDTH, TILE_HEIGHT)]
    if sides[0] * sides[1] > MAX_TILE:
        raise Unreadable(
            f"TIFF with tiles of {sides[0]:g} x {sides[1]:g} pixels: over {MAX_TILE:,}"
        )
    padding = bytes(len(content) % 2)
    offset = "Q" if big else "I"
    head = bytearray(content[:16])
    struct.pack_into(order + offset, head, 8 if big else 4, len(content) + len(padding))
    count = struct.pack(order + ("Q" if big else "H"), len(entries))
    table = (count, *entries.values(), struct.pack(order + offset, 0))
    return b"".join((head, content[16:], padding, *table))


def _numbers(block: bytes, entry: bytes, order: str, big: bool) -> tuple[float, ...]:
    """Return the values of an entry, none where they are no numbers or not in the block."""
    kind, count = struct.unpack_from(order + ("HQ" if big else "HI"), entry, 2)
    code = TYPES.get(kind, "")
    size = struct.calcsize("=" + code) * count
    if not code or not 0 < count <= MAX_PIECES:
        return ()
    source, at = entry, 12 if big else 8
    if size > len(entry) - at:
        source, at = block, struct.unpack_from(order + ("Q" if big else "I"), entry, at)[0]
    return (
        struct.unpack_from(f"{order}{count}{code}", source, at) if at + size <= len(source) else ()
    )
