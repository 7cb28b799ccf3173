"""Reading of remote files, in a few attempts; failures have reasons without credentials."""

from collections.abc import Callable
from io import BytesIO
from typing import Any, Protocol, runtime_checkable

from salix.data.bounds import MAX_FILE, Unreadable
from salix.data.filesystems import NO_RANGES, attempt, filesystem
from salix.data.url import Url

BLOCK = 4 << 20  # bytes that one request reads of a large file


def read_url(url: Url, *, start: int = 0, first: int | None = None) -> bytes:
    """Return the content of a remote file, or `first` bytes from `start`; raises `Unreadable`.

    A file over `MAX_FILE` is refused, unless only its `first` bytes are asked for.
    """
    content = attempt(url, lambda: _read(url, start, MAX_FILE + 1 if first is None else first))
    if first is None and len(content) > MAX_FILE:
        raise Unreadable(f"file of over {MAX_FILE / 1e6:,.0f} MB")
    return content


def _read(url: Url, start: int, size: int) -> bytes:
    files, path = filesystem(url)
    if start or not url.protocol.startswith("http"):
        return files.cat_file(path, start=start, end=start + size)
    with files.open(path, block_size=0, size=1) as file:  # one request, without asking the size
        blocks = []
        while size > 0 and (block := file.read(min(size, BLOCK))):
            blocks.append(block)
            size -= len(block)
        return b"".join(blocks)


@runtime_checkable
class BinaryFile(Protocol):
    """File of bytes that is read at any place."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""
        ...

    def seek(self, place: int, whence: int = 0, /) -> int:
        """Go to a place."""
        ...

    def tell(self) -> int:
        """Return the place of the next byte."""
        ...


class RemoteFile:
    """File of fsspec whose reads are attempted a few times; fails with `Unreadable`."""

    def __init__(self, url: Url):
        files, path = filesystem(url)
        self.url = url
        self._file = attempt(url, lambda: files.open(path, "rb", block_size=BLOCK))
        web = url.protocol.startswith("http")
        parts = not web or attempt(url, lambda: _sends_parts(files, path))
        if getattr(self._file, "size", None) is None or not parts:
            raise Unreadable(NO_RANGES)

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        place = self._file.tell()

        def read() -> bytes:
            self._file.seek(place)
            return self._file.read(size)

        return attempt(self.url, read)

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place."""
        return self._file.seek(place, whence)

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._file.tell()

    def __enter__(self) -> "RemoteFile":
        return self

    def __exit__(self, *_: Any) -> None:
        self._file.close()


def _sends_parts(files: Any, path: str) -> bool:
    """Whether a web server answers a request for the first byte of a file with that alone."""
    with files.open(path, block_size=0, size=1, headers={"Range": "bytes=0-0"}) as file:
        return file.r.status == 206


def remote_digest(url: Url, digest: Callable[[BinaryFile, int], str], *, full: bool) -> str | None:
    """Return what tells the content of a remote file: its size and checksum, where it has one.

    Otherwise, and if `full`, `digest` of the file and its size. None where it cannot be read.
    """
    try:
        files, path = filesystem(url)
        info = attempt(url, lambda: files.info(path))
        size = info.get("size")
        checksum = next((f"{k} {info[k]}" for k in CHECKSUMS if info.get(k) is not None), None)
        if checksum is not None and size is not None and not full:
            return f"{size} {checksum}"
        if size is None or size <= MAX_FILE:
            content = read_url(url)
            return digest(BytesIO(content), len(content))
        with RemoteFile(url) as file:
            return digest(file, size)
    except Unreadable:
        return None


# Fields of the information that filesystems give of a file: S3 and http, Google, zip, Hugging Face.
CHECKSUMS = ("ETag", "etag", "md5Hash", "crc32c", "CRC", "blob_id", "Content-MD5", "Digest")
