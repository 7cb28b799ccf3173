"""Numbers of a run at one moment, and the callbacks that receive them."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Measurement:
    """Numbers of a run, or of a training, at one moment.

    "progress" comes about every ten seconds and at the end, "epoch" once for each epoch and seed
    of a training. `step` is the number of finished images, or of finished steps of training, those
    of earlier processes included. `values` have their units in their names.
    """

    run: str
    event: Literal["progress", "epoch"]
    step: int
    values: Mapping[str, float]


Callback = Callable[[Measurement], None]


class Callbacks:
    """Callbacks that are called one after another; an error of one is printed once.

    A run is worth more than its metrics: no error of a callback ends it.
    """

    def __init__(self, *callbacks: Callback | None):
        self.callbacks = tuple(c for c in callbacks if c is not None)
        self.failed: set[int] = set()

    def __call__(self, measurement: Measurement) -> None:
        for number, callback in enumerate(self.callbacks):
            try:
                callback(measurement)
            except Exception as error:
                if number not in self.failed:
                    self.failed.add(number)
                    name = getattr(callback, "__name__", type(callback).__name__)
                    reason = (str(error).splitlines() or [""])[0]
                    print(
                        f"the callback {name} fails, and the run goes on: "
                        f"{type(error).__name__}: {reason}",
                        file=sys.stderr,
                    )


def progress_stream() -> Any:
    """Return stderr for lines of progress, which are no notes to be logged."""
    return getattr(sys.stderr, "without_log", sys.stderr)
