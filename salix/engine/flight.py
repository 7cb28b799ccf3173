"""Batches on the devices: sent ahead, landed in order, computed again after a lack of memory."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from salix.data import Batch
from salix.engine.memory import first_line, is_out_of_memory
from salix.engine.step import Step
from salix.interrupts import deferred
from salix.progress import Progress

Columns = dict[str, Any]


@dataclass(eq=False)
class Unfinished:
    """A batch with the columns of its first `landed` examples; `sent` have been started."""

    batch: Batch
    hashes: np.ndarray
    sent: int = 0
    landed: int = 0
    parts: list[Columns] = field(default_factory=list)

    @property
    def is_sent(self) -> bool:
        """Whether all examples are in flight or landed."""
        return self.sent >= len(self.batch.indices)


class BatchesInFlight:
    """Batches that were sent to a step and have not landed, in their order.

    `land` receives each batch with its columns once all are computed. Where the devices run out of
    memory, `reduce` is called with the reason, and what was in flight is computed again. A signal
    waits for the end of `add` and `finish`.
    """

    def __init__(
        self,
        step: Step,
        bar: Progress,
        land: Callable[[Batch, Columns], None],
        reduce: Callable[[str], None],
    ):
        self.step, self.bar, self.land, self.reduce = step, bar, land, reduce
        self.unfinished: deque[Unfinished] = deque()
        self.flying: deque[tuple[Unfinished, range, Columns]] = deque()

    @deferred()
    def add(self, batch: Batch, hashes: np.ndarray) -> None:
        """Send a batch; land earlier ones as far as the step's executions ahead allow."""
        self.unfinished.append(Unfinished(batch, hashes))
        self._advance()

    @deferred()
    def finish(self) -> None:
        """Land all that is in flight. A batch that an error left half sent is given up."""
        self.unfinished = deque(one for one in self.unfinished if one.is_sent)
        self._advance(drain=True)

    def _advance(self, *, drain: bool = False) -> None:
        while True:
            ahead = self.step.ahead
            unsent = next((one for one in self.unfinished if not one.is_sent), None)
            try:
                if unsent is not None and len(self.flying) <= ahead:
                    self._send(unsent)
                elif len(self.flying) > (0 if drain else ahead):
                    self._land()
                else:
                    return
            except jax.errors.JaxRuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                reason = first_line(error)
            else:
                continue
            self._begin_again(reason)  # after the handler: its traceback keeps arrays alive

    def _send(self, one: Unfinished) -> None:
        started = self.step(one.batch, one.hashes, one.sent)
        slots = range(one.sent, one.sent + self.step.micro)
        self.flying.append((one, slots, started))
        one.sent = slots.stop

    def _land(self) -> None:
        one, slots, started = self.flying.popleft()
        start = time.monotonic()
        columns = jax.device_get(started)  # the errors of an execution arrive here
        self.bar.device_seconds += time.monotonic() - start
        if slots.start != one.landed:
            return  # an execution before it failed
        one.parts.append(columns)
        one.landed = slots.stop
        if one.landed >= len(one.batch.indices):
            self.unfinished.remove(one)
            self.land(one.batch, jax.tree.map(_concatenate, *one.parts))

    def _begin_again(self, reason: str) -> None:
        self.flying.clear()
        for one in self.unfinished:
            one.sent = one.landed
        self.reduce(reason)


def _concatenate(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts)
