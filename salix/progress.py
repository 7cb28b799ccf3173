"""Progress bar with rate and remaining time; plain lines where there is no terminal."""

import sys
import time
from typing import Any

from salix.interrupts import check

LINE_SECONDS = 10.0  # between two plain lines


class Progress:
    """Counter of finished units of work, shown as a bar or lines if `show`."""

    def __init__(self, name: str, total: int, *, show: bool, unit: str = "images"):
        self.name, self.total, self.show, self.unit = name, total, show, unit
        self.before = self.done = 0
        self.bar: Any = None

    def __enter__(self) -> "Progress":
        self.start = self.printed = time.monotonic()
        if self.before and self.show:
            print(
                f"{self.name}: {self.before} of {self.total} {self.unit} are done", file=sys.stderr
            )
        if self.show and sys.stderr.isatty():
            self._open_bar()
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()
        elif self.show and self.done:
            self._line()

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
            self.bar.update(self.task, advance=count, rate=f"{self.rate():.1f} {self.unit}/s")
        elif self.show and time.monotonic() - self.printed > LINE_SECONDS:
            self._line()
            self.printed = time.monotonic()

    def rate(self) -> float:
        """Return units per second of this run."""
        return self.done / max(time.monotonic() - self.start, 1e-9)

    def timing(self) -> dict[str, float]:
        """Return rate and count for the manifest."""
        return {
            f"{self.unit}_per_second": round(self.rate(), 3),
            f"{self.unit}_timed": self.done,
        }

    def _line(self) -> None:
        left = (self.total - self.before - self.done) / max(self.rate(), 1e-9)
        print(
            f"{self.name}: {self.before + self.done} of {self.total} {self.unit}, "
            f"{self.rate():.1f} {self.unit}/s, {left:.0f} s left",
            file=sys.stderr,
        )

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
