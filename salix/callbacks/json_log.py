"""Log of a run as JSON lines: one object for each event."""

import io
import json
import math
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from salix.measurement import Measurement, progress_stream
from salix.progress import LINE_SECONDS
from salix.typing import InputError

NOTES = 100  # most notes and epochs in LINE_SECONDS; others are counted


class JsonLog:
    """Callback that writes each event of the run `run` as one line of JSON, at once.

    Every object has `time` (ISO 8601, UTC), `event`, `run` and `process`. Numbers have their units
    in their names; those that are not finite are null. An error of the stream is printed once.
    """

    def __init__(self, stream: Any, run: str):
        self.stream, self.run = stream, run
        self.lock = threading.RLock()
        self.counts: dict[str, float] = {}  # of the latest measurement
        self.failed = False
        self.began = self.window = time.monotonic()
        self.recent = self.left_out = 0

    def __call__(self, measurement: Measurement) -> None:
        if measurement.event == "epoch":
            self._write_some("epoch", step=measurement.step, **measurement.values)
            return
        values = dict(measurement.values)
        if parts := self._increase(values, "parts_written"):
            self.write("part", parts=parts, rows=self._increase(values, "rows_written"))
        for name in [n for n in values if n.endswith("_skipped")]:
            if count := self._increase(values, name):
                self.write("skipped", **{name.removesuffix("_skipped"): count})
        self.counts = values
        self.write("progress", **values)

    def note(self, text: str) -> None:
        """Write a note."""
        self._write_some("note", text=text)

    def end(self, status: str, **values: Any) -> None:
        """Write the last event: `done`, `interrupted` or `failed`."""
        seconds = round(time.monotonic() - self.began, 3)
        self.write("end", status=status, seconds=seconds, events_left_out=self.left_out, **values)

    def write(self, event: str, **values: Any) -> None:
        """Write one event."""
        head = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event}
        head |= {"run": self.run, "process": os.getpid()}
        line = json.dumps(head | {n: _finite(v) for n, v in values.items()}, ensure_ascii=False)
        with self.lock:
            try:
                self.stream.write(line + "\n")
                self.stream.flush()
            except (OSError, ValueError) as error:
                if not self.failed:
                    self.failed = True
                    text = f"the log of JSON lines fails, and the run goes on: {error}"
                    print(text, file=progress_stream())

    def _write_some(self, event: str, **values: Any) -> None:
        """Write an event unless many have come in a short time."""
        with self.lock:
            if time.monotonic() - self.window > LINE_SECONDS:
                self.window, self.recent = time.monotonic(), 0
            self.recent += 1
            if self.recent > NOTES:
                self.left_out += 1
                return
        self.write(event, **values)

    def _increase(self, values: dict[str, float], name: str) -> float:
        return values.get(name, 0) - self.counts.get(name, 0)


class NoteStream(io.TextIOBase):
    """Text stream in the place of stderr: each line is a note, and is printed too with `echo`."""

    def __init__(self, log: JsonLog, stream: Any, *, echo: bool):
        self.log, self.stream, self.echo = log, stream, echo
        self.without_log = stream if echo else io.StringIO()  # of lines of progress
        self.rest = ""

    def write(self, text: str) -> int:
        """Log the lines of a text that are whole."""
        if self.echo:
            self.stream.write(text)
        *lines, self.rest = (self.rest + text).split("\n")
        for line in filter(str.strip, lines):
            self.log.note(line)
        return len(text)

    def flush(self) -> None:
        """Flush stderr."""
        self.stream.flush()

    def fileno(self) -> int:
        """Return the file descriptor of stderr."""
        return self.stream.fileno()


@contextmanager
def open_json_log(target: str, command: str, run: str) -> Iterator[JsonLog]:
    """Append the events of a command to a file, or write them to stderr for `-`.

    Inside of the context what is printed on stderr is a note; with `-` it is printed as such only.
    Raises `InputError` for a file that cannot be opened.
    """
    import salix

    stream = sys.stderr if target == "-" else _open(Path(target))
    log = JsonLog(stream, run)
    log.write("start", command=command, host=socket.gethostname(), salix=salix.__version__)
    try:
        with redirect_stderr(NoteStream(log, sys.stderr, echo=target != "-")):
            yield log
    except KeyboardInterrupt as error:
        log.end("interrupted", exit_status=getattr(error, "status", 130))
        raise
    except BaseException as error:
        log.end("failed", message=f"{type(error).__name__}: {error}")
        raise
    else:
        log.end("done")
    finally:
        if target != "-":
            stream.close()


def _open(path: Path) -> Any:
    try:
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"--log-json {path}: {error.strerror}: name a file in a folder that exists"
        ) from None


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
