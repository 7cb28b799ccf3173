"""Progress bar with rate, remaining time and times of waiting; plain lines without a terminal."""

import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from salix.interrupts import check
from salix.measurement import Callback, Callbacks, Measurement, progress_stream

LINE_SECONDS = 10.0  # between two plain lines, and between two calls of a callback
T = TypeVar("T")


class Progress:
    """Counter of finished units of work, shown as a bar or lines if `show`.

    Its loop adds the seconds that it is blocked to `input_seconds`, until the next batch is
    loaded, and to `device_seconds`, until the device has computed a batch. The rest of the time is
    the loop's own: starting the program, rows and files. A device at work while the loop waits for
    input counts as waiting for input. `numbers` are further values for `callback`.
    """

    def __init__(
        self,
        name: str,
        total: int,
        *,
        show: bool,
        unit: str = "images",
        callback: Callback | None = None,
    ):
        self.name, self.total, self.show, self.unit = name, total, show, unit
        self.callbacks = Callbacks(callback)
        self.before = self.done = 0
        self.input_seconds = self.device_seconds = 0.0
        self.numbers: dict[str, float] = {}
        self.bar: Any = None

    def __enter__(self) -> "Progress":
        self.start = self.printed = time.monotonic()
        if self.before and self.show:
            self._print(f"{self.name}: {self.before} of {self.total} {self.unit} are done")
        if self.show and progress_stream() is sys.stderr and sys.stderr.isatty():
            self._open_bar()
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()
        if self.done:
            self._report()

    def skip(self, count: int) -> None:
        """Count units that an earlier run has finished; the first line or bar tells how many."""
        self.before += count
        if self.bar is not None:
            self.bar.update(self.task, completed=self.before + self.done)

    def advance(self, count: int) -> None:
        """Count finished units; raises `Interrupted` if a signal has arrived."""
        check()
        self.done += count
        if self.bar is not None:
            self.bar.update(self.task, advance=count, rate=self._speed())
        if time.monotonic() - self.printed > LINE_SECONDS:
            self._report()
            self.printed = time.monotonic()

    def count(self, name: str, number: int) -> None:
        """Add to one of `numbers`."""
        self.numbers[name] = self.numbers.get(name, 0) + number

    def part(self, rows: int) -> None:
        """Count a part of rows that is written."""
        self.count("parts_written", 1)
        self.count("rows_written", rows)

    def input(self, feed: Iterable[T]) -> Iterator[T]:
        """Yield the items of `feed`, adding the time that it takes to `input_seconds`."""
        items, end = iter(feed), object()
        while True:
            start = time.monotonic()
            item: Any = next(items, end)
            self.input_seconds += time.monotonic() - start
            if item is end:
                return
            yield item

    def rate(self) -> float:
        """Return units per second of this run."""
        return self.done / self._seconds()

    def timing(self) -> dict[str, float]:
        """Return rate, count and seconds of waiting for the manifest."""
        waited = {
            "seconds_waiting_for_input": round(self.input_seconds, 3),
            "seconds_waiting_for_device": round(self.device_seconds, 3),
        }
        return {
            f"{self.unit}_per_second": round(self.rate(), 3),
            f"{self.unit}_timed": self.done,
            **(waited if self._is_timed() else {}),
        }

    def values(self) -> dict[str, float]:
        """Return the values of a `Measurement` of this moment."""
        seconds = self._seconds()
        waited = {
            "share_waiting_for_input": self.input_seconds / seconds,
            "share_waiting_for_device": self.device_seconds / seconds,
        }
        return {
            self.unit: self.before + self.done,
            f"{self.unit}_total": self.total,
            f"{self.unit}_per_second": self.rate(),
            "seconds_left": self._left(),
            **(waited if self._is_timed() else {}),
            **self.numbers,
        }

    def measure(self, values: Mapping[str, float], step: int) -> None:
        """Send the values of an epoch to the callback."""
        self.callbacks(Measurement(self.name, "epoch", step, values))

    def _report(self) -> None:
        """Print a line, where there is no bar, and call the callback."""
        done = self.before + self.done
        if self.show and self.bar is None:
            self._print(
                f"{self.name}: {done} of {self.total} {self.unit}, {self._speed()}, "
                f"{self._left():.0f} s left"
            )
        self.callbacks(Measurement(self.name, "progress", done, self.values()))

    def _seconds(self) -> float:
        return max(time.monotonic() - self.start, 1e-9)

    def _left(self) -> float:
        left = self.total - self.before - self.done
        return left / self.rate() if self.done else math.inf

    def _is_timed(self) -> bool:
        return self.input_seconds + self.device_seconds > 0

    def _speed(self) -> str:
        text = f"{self.rate():.1f} {self.unit}/s"
        if not self._is_timed():
            return text
        seconds = self._seconds()
        return (
            f"{text}, waiting {self.input_seconds / seconds:.0%} for input and "
            f"{self.device_seconds / seconds:.0%} for the device"
        )

    def _print(self, line: str) -> None:
        print(line, file=progress_stream())

    def _open_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=Console(stderr=True),
        )
        self.task = self.bar.add_task(self.name, total=self.total, completed=self.before, rate="")
        self.bar.start()
