"""Ranges of a run that workers are given: tried a few times each, with progress for all."""

import sys
from collections import deque
from pathlib import Path
from typing import Any

from salix.cli.operation_options import Reports
from salix.data.notes import printable
from salix.progress import Progress
from salix.store import update_about
from salix.store.ranges import Ranges, count_examples

TRIES = 4  # of a range
SHOWN = 3  # most failed ranges that an error names


class RangeQueue:
    """The ranges of a run without rows; those that fail come last, after a few times no more.

    One that another process is writing is tried again after all others, and then left to it.
    """

    def __init__(
        self, ranges: Ranges, *, size: int, count: int, name: str, reports: Reports | None = None
    ):
        reports = reports or Reports()
        self.ranges, self.size, self.count = ranges, size, count
        numbers = range(len(ranges))
        self.finished = {n for n in numbers if ranges.length is not None and ranges.is_finished(n)}
        self.waiting = deque(n for n in numbers if n not in self.finished)
        self.claimed: deque[int] = deque()
        self.running: dict[int, bool] = {}  # whether a foreign claim is awaited, by range
        self.reasons: dict[int, list[str]] = {}  # of failures, by range
        self.left: dict[int, str] = {}  # to other processes, with the message
        self.done: dict[int, int] = {}  # images of ranges that were begun here
        self.bar = Progress(name, count, show=reports.show, callback=reports.callback)
        self.bar.skip(sum(map(self.images, self.finished)))
        self.bar.__enter__()

    @classmethod
    def of_run(cls, path: Path, opened: dict[str, Any], reports: Reports) -> "RangeQueue":
        """Return the queue of a run as a worker describes it."""
        ranges = Ranges(path, opened["batches"], opened["length"])
        about = {name: opened[name] for name in ("size", "count", "name")}
        return cls(ranges, **about, reports=reports)

    @property
    def is_empty(self) -> bool:
        """Whether every range is finished, left or given up."""
        return not (self.waiting or self.claimed or self.running)

    @property
    def open(self) -> int:
        """Number of ranges that wait for a worker."""
        return len(self.waiting) + len(self.claimed)

    def images(self, number: int) -> int:
        """Return the number of images of a range."""
        return count_examples(self.ranges.numbers(number), self.size, self.count)

    def next(self) -> tuple[int, bool] | None:
        """Return the next range, and whether a lapse of another host's claim is awaited."""
        for queue, patient in ((self.waiting, False), (self.claimed, True)):
            if queue:
                number = queue.popleft()
                self.running[number] = patient
                return number, patient
        return None

    def show(self, number: int, done: int) -> None:
        """Enter how many images of a range have rows."""
        if number not in self.running:  # an answer of before
            return
        self.done[number] = done
        self.bar.advance(sum(self.done.values()) - self.bar.done)

    def finish(self, number: int) -> None:
        """Enter a range as whole."""
        self.show(number, self.images(number))
        del self.running[number]

    def claim(self, number: int, message: str) -> None:
        """Put off a range that another process is writing, or leave it to that process."""
        if self.running.pop(number):
            self.left[number] = message
        else:
            self.claimed.append(number)

    def fail(self, number: int, reason: str) -> None:
        """Enter a failure: the range is tried again after others, or given up."""
        del self.running[number]
        reasons = self.reasons.setdefault(number, [])
        reasons.append(reason)
        tries = f"{len(reasons)} of {TRIES} times"
        print(printable(f"{self.name(number)} failed {tries}, {reason}"), file=sys.stderr)
        if len(reasons) < TRIES:
            self.waiting.append(number)

    def name(self, number: int) -> str:
        """Return the name of a range in messages."""
        return f"range {number} of {len(self.ranges)}"

    def close(self) -> None:
        """End the display of progress, and enter the rate in the manifest."""
        self.bar.__exit__()
        if self.bar.done:
            update_about(self.ranges.path, **self.bar.timing())

    def check(self) -> None:
        """Print what was left to others; raises `ChildProcessError` if ranges were given up."""
        for message in self.left.values():
            print(printable(f"left to another process: {message}"), file=sys.stderr)
        failed = [n for n, reasons in self.reasons.items() if len(reasons) >= TRIES]
        if not failed:
            return
        named = "; ".join(f"{self.name(n)}, {self.reasons[n][-1]}" for n in failed[:SHOWN])
        others = f" and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
        raise ChildProcessError(
            f"failed {TRIES} times: {named}{others}; all other ranges are written: run the same "
            "command to try again"
        )
