"""Image files made a byte at a time: PNG chunks, TIFF directories, EXIF blocks."""

import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

CODES = {1: "B", 3: "H", 4: "I", 5: "I", 6: "b", 8: "h", 9: "i", 10: "i", 11: "f", 12: "d"}
Tags = Mapping[int, tuple[int, Any]]  # type and values, or bytes


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows: np.ndarray, depth: int, colours: int, *extra: bytes, interlaced: int = 0) -> bytes:
    """Return a PNG of rows of packed samples [h bytes], with chunks before the pixels."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours]
    width = rows.shape[1] * 8 // (depth * channels)
    head = struct.pack(">IIBBBBB", width, len(rows), depth, colours, 0, 0, interlaced)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    data = chunk(b"IDAT", zlib.compress(lines, 1))
    return b"".join((b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head), *extra, data, chunk(b"IEND", b"")))


def tiff(tags: Tags, data: bytes = b"", order: str = "<", end: int = 0) -> bytes:
    """Return a TIFF whose `data` are at offset 8, with one directory, followed by `end`."""
    body, entries = bytearray(8) + data, []
    for tag, (kind, values) in sorted(tags.items()):
        code, size = CODES.get(kind, "s"), {5: 2, 10: 2}.get(kind, 1)
        raw = values if isinstance(values, bytes) else struct.pack(
            f"{order}{len(values)}{code}", *values
        )  # fmt: skip
        count = len(values) // size
        if len(raw) > 4:
            body += bytes(len(body) % 2)
            offset = len(body)
            body += raw
            raw = struct.pack(order + "I", offset)
        entries.append(struct.pack(order + "HHI", tag, kind, count) + raw.ljust(4, b"\0"))
    body += bytes(len(body) % 2)
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", len(body))
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries)
    return head + bytes(body[8:]) + directory + struct.pack(order + "I", end)


def grey_tags(height: int, width: int, bits: int, sample_format: int = 1, **more: Any) -> dict:
    """Return the tags of an uncompressed grey TIFF in one strip at offset 8."""
    size = height * width * bits // 8
    return {
        256: (4, [width]), 257: (4, [height]), 258: (3, [bits]), 259: (3, [1]), 262: (3, [1]),
        273: (4, [8]), 277: (3, [1]), 278: (4, [height]), 279: (4, [size]),
        339: (3, [sample_format]),
    } | {int(tag[1:]): value for tag, value in more.items()}  # fmt: skip


def grey_tiff(values: np.ndarray, **more: Any) -> bytes:
    """Return an uncompressed grey TIFF of an array; `more` are tags such as t281=(3, [4095])."""
    sample_format = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    order = ">" if values.dtype.byteorder == ">" else "<"
    tags = grey_tags(*values.shape, values.dtype.itemsize * 8, sample_format, **more)
    return tiff(tags, values.tobytes(), order)


def exif(tags: Tags, order: str = "<") -> bytes:
    return b"Exif\0\0" + tiff(tags, order=order)


def with_exif(jpeg: bytes, block: bytes) -> bytes:
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def gif_with(blocks: bytes) -> bytes:
    """Return a GIF of 8 x 8 pixels of level 50, with blocks before them."""
    content = encoded(Image.new("L", (8, 8), 50), "GIF")
    start = 13 + 3 * 2 ** ((content[10] & 7) + 1)
    return content[:start] + blocks + content[start:]
