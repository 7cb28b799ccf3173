"""Image files reduced to the pixels of their first frame, and their orientation.

Decoders read EXIF, colour profiles, text, thumbnails and later frames before the pixels: an odd
number there loses a photograph, and a crafted one takes memory or time without bound. What is not
needed for the pixels of the first frame is left out of the bytes that they see.
"""

import re
import struct
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from salix.data import tiff_tags
from salix.data.bounds import MAX_PIECES, Unreadable

# A JPEG's markers with a segment, end or start of image; not fill bytes, restarts and stuffed 0.
MARKER = re.compile(rb"\xff+([^\x00\x01\xff\xd0-\xd7])")
PNG = b"\x89PNG\r\n\x1a\n"
MAX_TEXT = 1 << 20  # bytes of EXIF in the text of a PNG
# Size and maximum of a PNM, which Pillow reads a byte at a time, comments included.
PNM = re.compile(rb"P[1-6Ff](?:(?:\s|#[^\r\n]*[\r\n])+[\d.+-]+){2}")
MAX_PNM_HEADER = 1 << 16  # bytes
MAX_BLOCKS = 2_000_000  # of at most 255 bytes, before the end of a GIF's first image


class Picture(NamedTuple):
    """A file without metadata, its orientation (1 to 8), and facts that a decoder leaves out.

    `scans` are those of a JPEG, `depth` the bits of a sample of a PNG, `key` its transparent colour
    in the file's own values, `tags` the numbers in the first directory of a TIFF.
    """

    content: bytes
    orientation: int = 1
    scans: int = 1
    depth: int = 8
    key: tuple[int, ...] = ()
    tags: Mapping[int, tuple[float, ...]] = {}


def without_metadata(content: bytes) -> Picture:
    """Return an image file reduced to its first frame; as it is if of another format or broken."""
    if content.startswith(b"\xff\xd8\xff"):
        return _jpeg(content)
    if content.startswith(PNG):
        return _png(content)
    if content.startswith((b"GIF87a", b"GIF89a")):
        return Picture(_gif(content))
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return _webp(content)
    if re.match(rb"P[1-6Ff]\s", content) and not PNM.match(content[:MAX_PNM_HEADER]):
        raise Unreadable(f"PNM without a size in its first {MAX_PNM_HEADER:,} bytes")
    if content[4:8] == b"ftyp":
        # The file's own boxes give the orientation; the name of the item of EXIF is overwritten.
        return Picture(content.replace(b"Exif\0", b"free\0"))
    if directory := tiff_tags.read_directory(content, tiff_tags.IMAGE_TAGS):
        value = directory.values.get(tiff_tags.ORIENTATION, (1,))[0]
        turned = int(value) if value in range(1, 9) else 1
        return Picture(tiff_tags.first_image(content, directory), turned, tags=directory.values)
    return Picture(content)


def _jpeg(content: bytes) -> Picture:
    pieces, start, at, scans, turned = [], 0, 2, 0, None
    for _ in range(MAX_PIECES):
        if (marker := MARKER.search(content, at)) is None:
            return Picture(b"".join((*pieces, content[start:])), turned or 1, scans)
        code, at = marker[1][0], marker.end()
        if code == 0xD9:  # end of the image: other images may follow
            pieces.append(content[start:at])
            return Picture(b"".join(pieces), turned or 1, scans)
        if code == 0xD8 or len(content) < at + 2:
            continue
        end = at + max(2, int.from_bytes(content[at : at + 2], "big"))
        scans += code == 0xDA
        # Of the application segments, JFIF and Adobe decide how colours are stored.
        if code == 0xFE or (0xE0 < code <= 0xEF and code != 0xEE):
            if code == 0xE1 and turned is None and content.startswith(b"Exif\0", at + 2):
                turned = tiff_tags.orientation(content[at + 8 : end])
            pieces.append(content[start : marker.start()])
            start = end
        at = end
    raise Unreadable(f"JPEG of over {MAX_PIECES:,} segments")


def _png(content: bytes) -> Picture:
    pieces, at, turned, depth, colours, key = [PNG], 8, None, 8, 0, ()
    for _ in range(MAX_PIECES):
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        start, end = at + 8, at + 8 + length
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            pieces.append(content[at : end + 4])
        elif kind in (b"eXIf", b"zTXt", b"tEXt") and turned is None:
            block = content[start:end]
            turned = _png_orientation(kind, block)
        if kind == b"IHDR" and 10 <= length <= len(content) - start:
            depth, colours = content[start + 8], {0: 1, 2: 3}.get(content[start + 9], 0)
        if kind == b"tRNS" and colours and 2 * colours <= length <= len(content) - start:
            key = struct.unpack_from(f">{colours}H", content, start)
        if kind == b"IEND" or end + 4 > len(content):
            return Picture(b"".join(pieces), turned or 1, depth=depth, key=key)
        at = end + 4
    raise Unreadable(f"PNG of over {MAX_PIECES:,} chunks")


def _png_orientation(kind: bytes, block: bytes) -> int | None:
    """Return the orientation of EXIF in a chunk, also as ImageMagick wrote it before 2017."""
    if kind == b"eXIf":
        return tiff_tags.orientation(block)
    name, _, text = block.partition(b"\0")
    if name not in (b"Raw profile type exif", b"Raw profile type APP1"):
        return None
    try:
        if kind == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], MAX_TEXT)
        return tiff_tags.orientation(bytes.fromhex("".join(text.decode().split()[2:])))
    except (ValueError, zlib.error):
        return None


def _gif(content: bytes) -> bytes:
    """Return a GIF up to the end of its first image, with graphic control extensions alone."""
    at = 13 + (3 << (content[10] & 7) + 1 if len(content) > 10 and content[10] & 128 else 0)
    pieces, blocks = [content[:at]], 0
    while blocks < MAX_BLOCKS:
        start, kind = at, content[at : at + 1]
        if kind == b"!":
            at += 2
        elif kind == b",":
            flags = content[at + 9] if len(content) > at + 9 else 0
            at += 10 + (3 << (flags & 7) + 1 if flags & 128 else 0) + 1
        else:
            return content
        while at < len(content) and (size := content[at]) and blocks < MAX_BLOCKS:
            at, blocks = at + 1 + size, blocks + 1
        at, blocks = at + 1, blocks + 1
        if kind == b"," or content[start + 1 : start + 2] == b"\xf9":
            pieces.append(content[start:at])
        if kind == b",":
            return b"".join((*pieces, b";"))
    raise Unreadable(f"GIF whose first image ends after {MAX_BLOCKS:,} blocks")


def _webp(content: bytes) -> Picture:
    pieces, at, turned = [], 12, 1
    for _ in range(MAX_PIECES):
        if at + 8 > len(content):
            body = b"WEBP" + b"".join(pieces)
            return Picture(b"RIFF" + len(body).to_bytes(4, "little") + body, turned)
        kind, length = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        if kind == b"VP8X" and end <= len(content):
            flags = content[at + 8] & ~0x2C  # no profile, EXIF and XMP
            pieces.append(content[at : at + 8] + bytes([flags]) + content[at + 9 : end])
        elif kind == b"EXIF":
            turned = tiff_tags.orientation(content[at + 8 : at + 8 + length])
        elif kind in (b"ANIM", b"ALPH", b"VP8 ", b"VP8L") or (
            kind == b"ANMF" and all(c[:4] != kind for c in pieces)
        ):
            pieces.append(content[at:end])
        at = end
    raise Unreadable(f"WebP of over {MAX_PIECES:,} chunks")
