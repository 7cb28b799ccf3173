"""Frames of videos, each video decoded once as far as possible, in bounded memory."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from salix.data.bounds import MAX_PIXELS, Unreadable
from salix.data.videos import opened, reason

MOST_OPEN = 4  # videos with an open decoder
MAX_WAITING = 256_000_000  # bytes of decoded frames of a video that are not asked for yet

_DECODERS: OrderedDict[Path, "VideoDecoder"] = OrderedDict()  # of this process, latest use last
_DECODERS_LOCK = threading.Lock()


def read_frame(path: Path, position: int, wanted: Sequence[int]) -> np.ndarray:
    """Return a frame of a video, 8-bit RGB [h w 3]; raises `Unreadable`.

    `wanted` are positions of the same video that are asked for at about the same time, also by
    other threads: frames among them are kept as the decoder passes them.
    """
    with _DECODERS_LOCK:
        decoder = _DECODERS.pop(path, None) or VideoDecoder(path)
        _DECODERS[path] = decoder
        oldest = _DECODERS.popitem(last=False)[1] if len(_DECODERS) > MOST_OPEN else None
    if oldest is not None:
        oldest.close()
    return decoder.read(position, wanted)


class VideoDecoder:
    """Decoder of one video, which goes forward; threads may ask for frames in any order.

    A position counts the frames as they are shown, from 0. A frame that was passed and is not kept
    is decoded from the start of the video again.
    """

    def __init__(self, path: Path):
        self.path = path
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._frames: Iterator[Any] | None = None
        self._next = 0  # position of the next frame of the decoder
        self._waiting: OrderedDict[int, np.ndarray | Unreadable] = OrderedDict()
        self._end: tuple[int, str] | None = None  # first position without a frame, and the reason

    def read(self, position: int, wanted: Sequence[int]) -> np.ndarray:
        """Return a frame [h w 3] and keep those of `wanted`; raises `Unreadable`."""
        with self._lock:
            try:
                pixels = self._waiting.pop(position, None)
                if pixels is None:
                    pixels = self._decode(position, frozenset(wanted))
            finally:
                if not self._waiting and (self._end or self._next > max(wanted, default=0)):
                    self._close()
        if isinstance(pixels, Unreadable):
            raise pixels
        return pixels

    def close(self) -> None:
        """Close the file; it is opened again for a later frame."""
        with self._lock:
            self._waiting.clear()
            self._close()

    def _decode(self, position: int, wanted: frozenset[int]) -> np.ndarray | Unreadable:
        if position < self._next or self._frames is None:
            self._close()
            container, stream = self._stack.enter_context(opened(self.path))
            self._frames = container.decode(stream)
        while self._end is None or self._next < self._end[0]:
            number, frame = self._next, self._step()
            if frame is None:
                break
            if number == position:
                return pixels_of(frame)
            if number in wanted:
                self._keep(number, pixels_of(frame))
        assert self._end is not None
        return Unreadable(self._end[1])

    def _step(self) -> Any:
        """Return the next frame, None where there is none."""
        assert self._frames is not None
        try:
            frame = next(self._frames)
        except StopIteration:
            self._end = self._next, f"the video ends after {self._next} frames"
        except MemoryError:
            raise
        except Exception as error:  # of a hostile file, nearly any
            self._end = (
                self._next,
                f"the video is damaged after {self._next} frames: " + reason(error),
            )
        else:
            self._next += 1
            return frame
        return None

    def _keep(self, number: int, pixels: np.ndarray | Unreadable) -> None:
        self._waiting[number] = pixels
        sizes = [p.nbytes for p in self._waiting.values() if isinstance(p, np.ndarray)]
        while sum(sizes) > MAX_WAITING:
            self._waiting.popitem(last=False)
            sizes.pop(0)

    def _close(self) -> None:
        self._frames, self._next = None, 0
        self._stack.close()


def pixels_of(frame: Any) -> np.ndarray | Unreadable:
    """Return the pixels of PyAV's frame, upright, 8-bit RGB [h w 3], or why it has none."""
    if frame.is_corrupt:
        return Unreadable("the frame is damaged")
    if frame.width * frame.height > MAX_PIXELS:
        return Unreadable(f"{frame.width} x {frame.height} pixels: at most {MAX_PIXELS:,}")
    try:
        pixels = frame.to_ndarray(format="rgb24")
        return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
    except Exception as error:  # of a hostile file, nearly any
        return Unreadable(reason(error))
