"""Digests of the content of files and arrays, for the identity of a data set."""

import hashlib
import inspect
import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from salix.data.remote import BinaryFile, remote_digest
from salix.data.url import Url
from salix.typing import InputError

WINDOWS, WINDOW = 16, 16 * 1024  # of a large file: their number and their size in bytes
UNREADABLE = "unreadable"
# Digests of the image files whose identity is being computed, where somebody collects them.
RECORD: ContextVar[bytearray | None] = ContextVar("record", default=None)
THREADS, FILES = 16, 32  # that read, and files that one of them is handed at once


def file_digest(path: Path | Url | str, *, full: bool = False) -> str:
    """Return a sha256 of a file's size and sampled content, or of all its content if `full`.

    A remote file whose filesystem gives a checksum counts by that and its size, unless `full`.

    At most 256 KiB are read: a file up to that size as a whole, of a larger one the first and last
    16 KiB and 14 more windows of 16 KiB at equal distances. `UNREADABLE` stands for a file that
    cannot be read, and for what is no regular file.
    """
    if isinstance(path, Url):
        return remote_digest(path, partial(_digest, full=full), full=full) or UNREADABLE
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a FIFO would wait for its writer
            return UNREADABLE
        with open(path, "rb", buffering=0) as file:
            return _digest(file, os.fstat(file.fileno()).st_size, full=full)
    except (OSError, ValueError):  # ValueError: a name with a null character
        return UNREADABLE


def _digest(file: BinaryFile, size: int, *, full: bool) -> str:
    sha = hashlib.sha256(size.to_bytes(8, "big"))
    if full or size <= WINDOWS * WINDOW:
        while block := file.read(min(size + 1, 1 << 20)):  # memory for so much is taken
            sha.update(block)
        return sha.hexdigest()
    for i in range(WINDOWS):
        file.seek((size - WINDOW) * i // (WINDOWS - 1))
        sha.update(file.read(WINDOW))
    return sha.hexdigest()


def array_digest(array: Any) -> str:
    """Return a sha256 of the type, shape and bytes of an array."""
    array = np.asarray(array)
    sha = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    if array.dtype.hasobject:  # its bytes are addresses
        sha.update(repr(array.tolist()).encode())
    else:
        sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


def files_digest(paths: Iterable[Path | Url | str | None], *, full: bool = False) -> str:
    """Return one digest of the content of files in their order, None where there is no file.

    Their names and folders do not matter. The files are read by 16 threads; few paths are held at
    once.
    """
    return join_digests(_file_digests(iter(paths), full))


def _file_digests(paths: Iterator[Path | Url | str | None], full: bool) -> Iterator[str]:
    def digests(some: list[Path | Url | str | None]) -> list[str]:
        return ["" if path is None else file_digest(path, full=full) for path in some]

    waiting: deque[Future[list[str]]] = deque()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="salix-digest") as pool:
        while some := list(islice(paths, FILES)):
            waiting.append(pool.submit(digests, some))
            if len(waiting) > 2 * THREADS:
                yield from waiting.popleft().result()
        for future in waiting:
            yield from future.result()


def files_identity(
    images: Iterable[Path | Url | str | None],
    masks: Iterable[Path | Url | str | None] | None,
    *,
    full: bool,
) -> dict[str, str]:
    """Return the `identity` of a source of image files and, where not None, of mask files."""
    identity = {"images": join_digests(_recorded(_file_digests(iter(images), full)))}
    return (
        identity
        if masks is None
        else identity | {"reference_masks": files_digest(masks, full=full)}
    )


@contextmanager
def recorded_digests() -> Iterator[bytearray]:
    """Collect 8 bytes of the digest of each image file whose identity is computed meanwhile."""
    digests = bytearray()
    token = RECORD.set(digests)
    try:
        yield digests
    finally:
        RECORD.reset(token)


def _recorded(digests: Iterator[str]) -> Iterator[str]:
    record = RECORD.get()
    for digest in digests:
        if record is not None:
            record += hashlib.sha256(digest.encode()).digest()[:8]
        yield digest


def source_identity(source: Any, *, full: bool) -> dict[str, Any]:
    """Return the identity of a source, whose option `full` may be left out by one without files.

    Raises `InputError` for a source without identity: a run could not tell its data from others.
    """
    identity = getattr(source, "identity", None)
    if identity is None:
        raise InputError(
            f"the source {type(source).__name__} has no identity(): let it return what decides its "
            'pixels, for example {"images": salix.data.content.arrays_digest(images)}'
        )
    accepts_full = "full" in inspect.signature(identity).parameters
    return identity(full=full) if accepts_full else identity()


def arrays_digest(arrays: Iterable[Any]) -> str:
    """Return one digest of arrays in their order, None where there is none."""
    return join_digests("" if array is None else array_digest(array) for array in arrays)


def join_digests(digests: Iterable[str]) -> str:
    """Return one sha256 of several digests in their order."""
    sha = hashlib.sha256()
    for digest in digests:
        sha.update(f"{digest}\n".encode())
    return sha.hexdigest()
