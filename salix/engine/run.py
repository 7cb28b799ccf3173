"""The loop of a run: load ahead, dispatch without waiting, write rows in parts."""

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from jax.sharding import Mesh

from salix.data import Batch, Examples, batches
from salix.data.loaders import Loader
from salix.data.notes import note
from salix.engine.assignment import Assignment
from salix.engine.flight import BatchesInFlight, Columns
from salix.engine.problem import Problem
from salix.engine.program import cost
from salix.engine.rows import arrow_rows, id_hashes
from salix.engine.shard import Shard
from salix.engine.step import Step
from salix.interrupts import Interrupted, deferred
from salix.measurement import Callback
from salix.profiler import Profiler
from salix.progress import Progress
from salix.store import Run, circumstances, note_circumstances, update_about
from salix.store.claim import Claimed
from salix.store.manifest import read_manifest
from salix.store.ranges import Ranges, count_examples
from salix.typing import Column, Params

FLUSH_SECONDS = 10.0  # at most this much work is lost to a kill
IN_FLIGHT = 2  # batches on the device while the next ones are loaded


@dataclass
class PreparedRun:
    """A run directory with the program that computes any of its ranges, compiled once.

    `size` is the number of examples of a batch, `micro` that of one execution of the program
    `traced`; if `automatic`, as many fewer as the memory of the devices requires. `notes` returns
    further entries of the manifest's `about`, once rows are computed.
    """

    name: str
    ranges: Ranges
    examples: Examples
    columns: tuple[Column, ...]
    size: int
    unit: str
    problem: Problem
    params: Params
    seed: int
    micro: int
    mesh: Mesh
    traced: Any
    workers: int
    automatic: bool = False
    loader: Loader = "threads"
    notes: Callable[[], dict[str, Any]] = dict
    about: dict[str, Any] = field(default_factory=circumstances)
    step: Step | None = None

    def complete(
        self,
        shard: Shard,
        *,
        progress: bool,
        callback: Callback | None = None,
        profile: Path | None = None,
    ) -> Run:
        """Compute the ranges of a shard and return the run; `profile` is the folder of a trace."""
        path, numbers = self.ranges.path, shard.ranges(len(self.ranges))
        if not numbers:
            print(
                f"{path}: shard {shard} has no range: the run has {len(self.ranges)}",
                file=sys.stderr,
            )
        bar = self.bar(numbers, show=progress, callback=callback)
        with Profiler(profile) as profiler:
            left = self.compute(numbers, bar, profiler=profiler)
        if bar.done:
            update_about(path, **bar.timing())
        for claimed in left:
            print(f"left to another process: {claimed}", file=sys.stderr)
        return Run(path)

    def bar(
        self, numbers: Iterable[int], *, show: bool, callback: Callback | None = None
    ) -> Progress:
        """Return a counter of the examples of ranges."""
        count, size = len(self.examples.ids), self.size
        batches = map(self.ranges.numbers, numbers)
        owned = sum(count_examples(b, size, count) for b in batches)
        return Progress(self.name, owned, show=show, unit=self.unit, callback=callback)

    def compute(
        self,
        numbers: Iterable[int],
        bar: Progress,
        *,
        patient: bool = True,
        profiler: Profiler | None = None,
    ) -> list[Claimed]:
        """Compute what the ranges `numbers` lack; return the claims of other processes on them.

        A claim of another host without signs of life is awaited if `patient`.
        """
        path, count = self.ranges.path, len(self.examples.ids)
        work = Assignment(
            self.ranges,
            numbers,
            self.columns,
            about=self.about,
            bar=bar,
            size=self.size,
            count=count,
            unit=self.unit,
            patient=patient,
        )
        try:
            first = next(work.batches, None)
            if first is not None:
                self.step = step = self.step or self._compile()
                feed = batches(
                    self.examples,
                    self.problem.example,
                    self.size,
                    chain([first], work.batches),
                    workers=self.workers,
                    loader=self.loader,
                )
                with bar:
                    feed = profiler.watch(feed) if profiler else feed
                    _loop(step, self._reduce, feed, self.examples, work, bar)
        finally:  # however the run ends, finished rows are kept
            with deferred():
                work.close()
        update_about(path, **self.notes())
        return work.left

    def _compile(self) -> Step:
        path = self.ranges.path
        note_circumstances(path, circumstances(), record=self.ranges.length is None)
        start = time.perf_counter()
        ahead = (IN_FLIGHT + 1) * (self.size // self.micro) - 1  # executions
        step = Step(self.problem, self.params, seed=self.seed, mesh=self.mesh, ahead=ahead)
        step.compile(self.micro, self.traced)
        if self.automatic:
            step.fit()
        if step.micro != self.micro:
            self._note_memory(step)
        seconds = round(time.perf_counter() - start, 3)
        update_about(path, compile_seconds=seconds, **cost(step.program))
        return step

    def _reduce(self, reason: str) -> None:
        """Go on with less memory after a lack of it."""
        assert self.step is not None
        self.step.reduce(reason)
        self._note_memory(self.step)

    def _note_memory(self, step: Step) -> None:
        """Print the number of examples at once, and record it for the run and further ranges."""
        path, alone = self.ranges.path, "" if step.ahead else ", one execution at a time"
        text = f"going on with {step.micro} {self.unit} at once{alone}; rows agree to rounding"
        note(f"{path}: {step.reason}: {text}")
        self.about["micro_batch"] = step.micro
        smallest = read_manifest(path)["about"].get("micro_batch", step.micro)
        update_about(path, micro_batch=min(step.micro, smallest))


def _loop(
    step: Step,
    reduce: Callable[[str], None],
    feed: Iterable[Batch],
    examples: Examples,
    work: Assignment,
    bar: Progress,
) -> None:
    """Keep batches in flight while the next are loaded, and write finished rows.

    A signal ends the wait for input; batches on the device are finished, and their rows written.
    """
    flushed = time.monotonic()

    def land(batch: Batch, columns: Columns) -> None:
        nonlocal flushed
        work.add(batch.number, arrow_rows(batch, examples, columns, work.columns))
        bar.count(f"{bar.unit}_skipped", len(batch.reasons))
        bar.advance(len(batch.indices))
        if time.monotonic() - flushed > FLUSH_SECONDS:
            work.flush()
            flushed = time.monotonic()

    flight = BatchesInFlight(step, bar, land, reduce)
    try:
        for batch in bar.input(feed):
            flight.add(batch, id_hashes(batch, examples))
    finally:
        # After a signal or an error of one batch, those before it are finished.
        error = sys.exception()
        if isinstance(error, Interrupted):  # a kill may follow: finished rows first
            with deferred():
                work.flush()
        if isinstance(error, Interrupted) or not isinstance(error, (KeyboardInterrupt, SystemExit)):
            flight.finish()
