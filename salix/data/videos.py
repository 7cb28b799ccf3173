"""Video files: containers that are opened, the number of their frames, and ids of frames.

MP4, MOV, AVI, Matroska and WebM, by the first bytes of the file and nothing else: lists of other
files (HLS, concat) and addresses in a file are never followed. PyAV decodes in this process.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from salix.data.bounds import MAX_PIXELS, Unreadable
from salix.data.regular_file import open_file
from salix.typing import InputError

MAX_FRAMES = 10_000_000  # of one video
_FRAME = re.compile(
    r"(?P<file>.*\.(?:avi|m4v|mkv|mov|mp4|webm))#frame=(?P<frame>\d+)(?:&t=(?P<time>\d+\.\d+))?"
    r"(?:&face=\d+)?",
    re.IGNORECASE | re.DOTALL,
)
_ATOMS = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")  # first of MP4 and MOV


class VideoInfo(NamedTuple):
    """Number of frames of a video, and their rate a second where it is known."""

    frames: int
    rate: float | None


def frame_id(file: str, frame: int, rate: float | None) -> str:
    """Return the id of a frame: `clip.mp4#frame=12&t=0.480`, with its time in seconds."""
    return f"{file}#frame={frame}" + (f"&t={frame / rate:.3f}" if rate else "")


def split_frame_id(id: str) -> tuple[str, int | None, float | None]:
    """Return the file, the position and the time of a frame; None where an id has them not."""
    match = _FRAME.fullmatch(id)
    if match is None:
        return id, None, None
    return match["file"], int(match["frame"]), float(match["time"]) if match["time"] else None


def pyav() -> Any:
    """Return the module of PyAV; raises `InputError` where it is not installed."""
    try:
        import av  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError("videos need PyAV: pip install 'salix[video]'") from None
    return av


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a video, and yield PyAV's container and its video stream; raises `Unreadable`."""
    av = pyav()
    with open_file(path) as file:
        format = _format(file.read(16))
        file.seek(0)
        try:
            with av.open(
                file,
                format=format,
                options={"protocol_whitelist": "none"},
                metadata_errors="ignore",
            ) as container:
                stream = container.streams.best("video")
                if stream is None:
                    raise Unreadable("the file has no video stream")
                context = stream.codec_context
                if context is None:
                    raise Unreadable("the video's codec is unknown")
                if context.width * context.height > MAX_PIXELS:
                    raise Unreadable(f"{context.width} x {context.height} pixels: at most "
                                     f"{MAX_PIXELS:,} are decoded")  # fmt: skip
                context.options = {"max_pixels": str(MAX_PIXELS), "err_detect": "explode"}
                stream.thread_type, context.thread_count = "AUTO", min(4, os.cpu_count() or 1)
                yield container, stream
        except (Unreadable, MemoryError):
            raise
        # A hostile file can raise nearly anything; one video must not end a run.
        except Exception as error:
            raise Unreadable(reason(error)) from None


def probe(path: Path) -> VideoInfo:
    """Return the number of frames and their rate, of the header where it has them.

    Matroska and WebM give no number: their packets are counted, of VP8 the decoded frames, for some
    of its packets are never shown. Raises `Unreadable`.
    """
    with opened(path) as (container, stream):
        rate = stream.average_rate or stream.guessed_rate
        frames = stream.frames
        if not frames and stream.codec_context.name == "vp8":
            frames = sum(1 for _ in container.decode(stream))
        elif not frames:
            frames = sum(packet.size > 0 for packet in container.demux(stream))
        size = os.stat(path).st_size
        if not 0 < frames <= min(size, MAX_FRAMES):
            raise Unreadable(f"{frames} frames in {size} bytes: the video is empty or damaged")
        return VideoInfo(frames, float(rate) if rate else None)


def reason(error: Exception) -> str:
    """Return the reason of a failure of PyAV, without the file, which a row has in its id."""
    text = getattr(error, "strerror", None) or str(error)
    return f"{type(error).__name__}: {text}"[:200]


def _format(start: bytes) -> str:
    """Return FFmpeg's name of a container by the first bytes of the file."""
    if start[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
        return "avi"
    if start[4:8] in _ATOMS:
        return "mov"
    raise Unreadable("empty file" if not start else "no MP4, MOV, AVI, MKV or WebM file")
