"""Ranges of a run that this process computes: claimed one after another, written, and marked."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from salix.interrupts import check
from salix.progress import Progress
from salix.store import Writer
from salix.store.claim import Claim, Claimed
from salix.store.manifest import note_set_aside, read_manifest
from salix.store.parts import set_aside
from salix.store.ranges import Ranges, count_examples
from salix.typing import Column

POLL_SECONDS = 2.0  # between two looks at the claim of another host's process


class OpenRange:
    """A claimed range with its missing batches, their writer, and what set its parts aside."""

    def __init__(
        self, ranges: Ranges, number: int, columns: tuple[Column, ...], bar: Progress, unit: str
    ):
        self.ranges, self.number, self.started = ranges, number, time.monotonic()
        folder = ranges.folder(number)
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(Claim(folder))
            missing, damaged = ranges.unfinished(number)
            self.aside = set_aside(folder, damaged, unit)
            self.left, self.count = set(missing), len(missing)
            owner = read_manifest(ranges.path)["hash"]
            self.writer = Writer(folder, columns, owner, on_part=bar.part)
            self.claim = stack.pop_all()

    def finish(self, about: dict[str, Any]) -> None:
        """Write the last rows, and mark the range if every batch is written."""
        self.writer.flush()
        ranges = self.ranges
        if self.aside and ranges.length is None:
            note_set_aside(ranges.path, self.aside)
        if not self.left:
            seconds = round(time.monotonic() - self.started, 3)
            asides = {"set_aside": self.aside} if self.aside else {}
            ranges.mark(self.number, **about, batches=self.count, seconds=seconds, **asides)


class Assignment:
    """The batches that this process computes, of the ranges `numbers` of a run, as an iterator.

    A batch has `size` of the run's `count` examples. A range is claimed when the first batch of it
    is asked for, and its claim ends when its last row is written. Finished ranges are passed over;
    one that another process is writing is tried again after all others if `patient`, and then left
    to that process while it is at work.
    """

    def __init__(
        self,
        ranges: Ranges,
        numbers: Iterable[int],
        columns: tuple[Column, ...],
        *,
        about: dict[str, Any],
        bar: Progress,
        size: int,
        count: int,
        unit: str,
        patient: bool = True,
    ):
        self.ranges, self.columns, self.about, self.bar = ranges, columns, about, bar
        self.size, self.count, self.unit, self.numbers = size, count, unit, list(numbers)
        self.patient = patient
        self.open: dict[int, OpenRange] = {}
        self.left: list[Claimed] = []  # of ranges that other processes are writing
        self.batches = self._batches()

    def _batches(self) -> Iterator[int]:
        busy: list[tuple[int, Claimed]] = []
        for number in self.numbers:
            try:
                yield from self._begin(number)
            except Claimed as error:
                if self.ranges.length is None:
                    raise
                busy.append((number, error))
        for number, error in busy:
            while self.patient and (error.is_stale() or not error.file.exists()):
                check()
                try:
                    yield from self._begin(number)
                    break
                except Claimed:
                    time.sleep(POLL_SECONDS)
            else:
                self.left.append(error)

    def _begin(self, number: int) -> list[int]:
        """Claim a range and return its missing batches."""
        numbers = self.ranges.numbers(number)
        if self.ranges.is_finished(number):  # read without a claim
            self.bar.skip(count_examples(numbers, self.size, self.count))
            return []
        opened = OpenRange(self.ranges, number, self.columns, self.bar, self.unit)
        self.bar.skip(count_examples(set(numbers) - opened.left, self.size, self.count))
        if not opened.left:
            self._close(opened)
            return []
        self.open[number] = opened
        return sorted(opened.left)

    def add(self, batch: int, arrays: Mapping[str, Any]) -> None:
        """Add the columns of a batch, the next of its range; the last one closes the range."""
        opened = self.open[batch // (self.ranges.length or self.ranges.batches)]
        opened.writer.add_arrays(batch, arrays)
        opened.left.discard(batch)
        if not opened.left:
            self._close(self.open.pop(opened.number))

    def flush(self) -> None:
        """Write the rows of all open ranges."""
        for opened in self.open.values():
            opened.writer.flush()

    def close(self) -> None:
        """Write what there is, and end all claims, however the run ends."""
        with ExitStack() as stack:
            for opened in self.open.values():
                stack.callback(self._close, opened)
        self.open = {}

    def _close(self, opened: OpenRange) -> None:
        with opened.claim:
            opened.finish(self.about)
