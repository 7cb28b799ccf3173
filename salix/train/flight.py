"""Training steps on the device, whose results are added to the training's state in order."""

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from salix.interrupts import deferred
from salix.progress import Progress
from salix.train.state import TrainingState, diverged
from salix.train.streamed import pick


class StepsInFlight:
    """Steps that were started and not finished, of `seeds` that train on images with `ids`.

    With `together` the means over a batch have a leading axis of seeds.
    """

    def __init__(
        self,
        seeds: tuple[int, ...],
        ids: Sequence[str],
        state: TrainingState,
        bar: Progress,
        *,
        together: bool,
        per_epoch: int,
    ):
        self.seeds, self.ids, self.state, self.bar = seeds, ids, state, bar
        self.together, self.per_epoch = together, per_epoch
        self.steps: deque[tuple[int, list[np.ndarray], Any]] = deque()

    def start(self, batch: int, positions: list[np.ndarray], means: Any) -> None:
        """Add a started step: its batch in the epoch, the batch's images, and means to come."""
        self.steps.append((batch, positions, means))

    @deferred()
    def finish(self, remaining: int) -> None:
        """Wait for steps until at most `remaining` are left.

        Raises `InputError` for a loss that is not finite.
        """
        while len(self.steps) > remaining:
            batch, positions, means = self.steps.popleft()
            start = time.monotonic()
            values = jax.device_get(means)
            self.bar.device_seconds += time.monotonic() - start
            self._add(batch, positions, values)
            self.bar.advance(1)

    def _add(self, batch: int, positions: list[np.ndarray], means: Any) -> None:
        """Add a batch to the sums of its epoch."""
        by_seed = [
            {n: float(v[i] if self.together else v) for n, v in means.items()}
            for i in range(len(self.seeds))
        ]
        for seed, indices, values in zip(self.seeds, positions, by_seed, strict=True):
            if not np.isfinite(values["loss"]):
                step = self.state.epoch * self.per_epoch + batch
                ids = pick(self.ids, indices)
                raise diverged(seed, values["loss"], step, self.state.epoch, ids)
        self.state.add_batch(by_seed, len(positions[0]))
        self.bar.numbers = {
            f"seed-{seed}/train_loss": sums["loss"] / sums["images"]
            for seed, sums in zip(self.seeds, self.state.sums, strict=True)
        }
