"""Disk cache of segment labels, by the content of the image and the settings of the segmentation.

One file for each image, below `segments` in the cache of Salix, 3 to 10 KB each with the default
settings. A file begins with the sha256 of the rest, the labels compressed by zlib: one that is
damaged is computed anew. Files are renamed into place when they are complete, so that threads and
processes may share the cache. SALIX_SEGMENT_CACHE=0 turns it off, and deleting the folder is safe.
"""

import contextlib
import hashlib
import os
import tempfile
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from salix.data.assets import cache
from salix.data.notes import note
from salix.perturb.segment_labels import SIDE, LabelLevels

SWITCH = "SALIX_SEGMENT_CACHE"
OFF = ("0", "off", "false", "no")


@dataclass
class SegmentCache:
    """Labels of one segmentation, computed where they are not on disk.

    `read` and `computed` count the images of either kind. A folder that cannot be written is noted
    once, and its labels are computed each time.
    """

    segmentation: Any
    read: int = 0
    computed: int = 0
    _writable: bool = True
    _lock: Any = field(default_factory=threading.Lock, repr=False)

    def __call__(self, pixels: UInt8[np.ndarray, "h w 3"]) -> LabelLevels:
        """Return the labels of an image that is already stretched."""
        settings = f"{self.segmentation!r} {self.segmentation.version}".encode()
        name = hashlib.sha256(settings + pixels.tobytes()).hexdigest()
        path = folder() / name[:2] / name
        labels = self._load(path)
        with self._lock:
            self.read += labels is not None
            self.computed += labels is None
        if labels is None:
            labels = self.segmentation(pixels)
            self._store(path, labels)
        return labels

    def _load(self, path: Path) -> LabelLevels | None:
        with contextlib.suppress(OSError, zlib.error, ValueError):
            content = path.read_bytes()
            if hashlib.sha256(content[32:]).digest() == content[:32]:
                plain = zlib.decompress(content[32:])
                shape = self.segmentation.levels, SIDE, SIDE
                return np.frombuffer(plain, "<u2").astype(np.uint16).reshape(shape)
        return None

    def _store(self, path: Path, labels: LabelLevels) -> None:
        if not self._writable:
            return
        body = zlib.compress(labels.astype("<u2").tobytes(), 6)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
                try:
                    file.write(hashlib.sha256(body).digest() + body)
                    file.close()
                    os.replace(file.name, path)
                except BaseException:
                    os.unlink(file.name)
                    raise
        except OSError as error:
            self._writable = False
            note(
                f"segments are not cached in {folder()} ({error.strerror}): they are computed "
                f"again for each model; set SALIX_CACHE to another folder, or {SWITCH}=0"
            )


def folder() -> Path:
    """Return the folder of the cache."""
    return cache() / "segments"


def cached(segmentation: Any) -> Callable[[Any], LabelLevels]:
    """Return a segmentation behind the cache; as it is without a `version` or with the switch."""
    off = os.environ.get(SWITCH, "").strip().lower() in OFF
    return (
        segmentation if off or not hasattr(segmentation, "version") else SegmentCache(segmentation)
    )
