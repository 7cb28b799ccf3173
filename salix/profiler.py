"""Trace of a few batches on host and devices, for TensorBoard and Perfetto."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import jax

WARM = 1  # batches before the trace
TRACED = 5  # batches in it
T = TypeVar("T")


class Profiler:
    """Trace of the batches 2 to 6 of a process, in `folder`; None traces nothing.

    As a context it ends the trace of a shorter run. The trace is that of `jax.profiler`, without
    Python's functions.
    """

    def __init__(self, folder: Path | str | None):
        self.folder = folder
        self.batches, self.active = 0, False

    def __enter__(self) -> "Profiler":
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        if self.active:
            self._stop()
        elif self.folder is not None and kind is None:
            print(f"no trace in {self.folder}: this needs {WARM + 1} batches", file=sys.stderr)

    def watch(self, feed: Iterable[T]) -> Iterator[T]:
        """Yield batches; the work between two of them is the step `batch` of the trace."""
        for item in feed:
            if self.folder is None:
                yield item
                continue
            if self.batches == WARM:
                self._start()
            elif self.batches == WARM + TRACED:
                self._stop()
            with jax.profiler.StepTraceAnnotation("batch", step_num=self.batches):
                yield item
            self.batches += 1

    def _start(self) -> None:
        options: Any = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0
        try:
            jax.profiler.start_trace(str(self.folder), profiler_options=options)
            self.active = True
        except (RuntimeError, OSError) as error:  # as by a profiler that runs already
            print(f"no trace in {self.folder}: {error}", file=sys.stderr)
            self.folder = None

    def _stop(self) -> None:
        jax.profiler.stop_trace()
        print(f"trace of {self.batches - WARM} batches: {self.folder}", file=sys.stderr)
        self.active, self.folder = False, None
