"""Trainer of one seed, or of several that step together, from the first step to the last."""

import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from salix.data import id_hash
from salix.interrupts import Interrupted, deferred
from salix.profiler import Profiler
from salix.progress import Progress
from salix.train import history
from salix.train.check import missing_reference_masks
from salix.train.checkpoint import Checkpoints, restore_training, save_training
from salix.train.evaluate import evaluate, positive_class
from salix.train.examples import TrainingImages
from salix.train.exchange import in_first, is_first
from salix.train.feed import epoch_feed
from salix.train.flight import StepsInFlight
from salix.train.history import Record
from salix.train.network import Weights, select_weights
from salix.train.placement import local_copies
from salix.train.program import TrainingProgram
from salix.train.state import Throughput, TrainingResult, TrainingState, epoch_record
from salix.train.step import ModelState
from salix.train.streamed import Streamed
from salix.typing import InputError

IN_FLIGHT = 2  # steps on the device while the next batch is made
SAVE_SECONDS = 300.0  # the most work lost to a kill within an epoch

Metrics = list[dict[str, float]]  # one element for each seed


class Trainer:
    """Trains `seeds` by one program; `path` is for checkpoints and history, if it is given."""

    def __init__(
        self,
        program: TrainingProgram,
        *,
        examples: TrainingImages | Streamed,
        validation: TrainingImages | Streamed | None,
        seeds: tuple[int, ...],
        classes: tuple[str, ...],
        path: Path | None,
        owner: str,
        bar: Progress,
        log: Callable[[str], None],
        profiler: Profiler,
        on_epoch: Callable[[int, Weights], None] | None = None,  # epochs from 1
    ):
        self.bar, self.log, self.profiler, self.on_epoch = bar, log, profiler, on_epoch
        self.program, self.recipe = program, program.recipe
        self.examples, self.validation, self.seeds = examples, validation, seeds
        self.positive, self.path = positive_class(classes), path
        self.hashes = np.array([id_hash(id) for id in examples.ids], np.uint32)
        self.per_epoch = self.recipe.batches(len(examples.labels))
        self.schedule = self.recipe.schedule(len(examples.labels))
        self.checkpoints = Checkpoints(path / "checkpoints", owner) if path and is_first() else None
        self.key = np.array(seeds if program.together else seeds[0], np.uint32)

    def run(self, weights: list[Weights]) -> TrainingResult:
        """Train to the end, from the newest checkpoint if there is one."""
        together = self.program.together
        start = jax.tree.map(lambda *a: jnp.stack(a), *weights) if together else weights[0]
        model = self.program.initial(start)
        best = self.program.place(ModelState(start, ())).weights if self.validation else None
        state = TrainingState.initial(len(self.seeds))
        records: list[Record] = []
        try:
            if self.path:
                model, best, state = self._restored(model, best, state)
            while state.epoch < self.recipe.epochs:
                model, throughput = self._train_epoch(model, best, state)
                without_masks = not any(sums["has_reference_mask"] for sums in state.sums)
                if without_masks and self.program.needs_reference_masks:
                    raise missing_reference_masks(self.recipe)
                best, metrics = self._validate(model, state, best)
                epoch_records = self._records(state, throughput, metrics)
                for record in epoch_records:
                    self.log(history.line(record, self.recipe.epochs))
                    self.bar.measure(history.values(record), record["step"])
                # Before the checkpoint: a kill between them repeats the epoch
                if self.path and is_first():
                    history.write(self.path, state.epoch, epoch_records)
                records += epoch_records
                if self.on_epoch:
                    self.on_epoch(state.epoch + 1, local_copies(model.weights))
                state.next_epoch()
                self._save(model, best, state)
        finally:
            if self.checkpoints:
                self.checkpoints.close()
        last = local_copies(model.weights)
        last_epochs = (self.recipe.epochs - 1,) * len(self.seeds)
        best_epochs = tuple(state.best_epoch) if best else last_epochs
        if path := self.path:
            records = in_first(lambda: history.read(path))
        return TrainingResult(local_copies(best) or last, last, best_epochs, tuple(records))

    def _train_epoch(
        self, model: ModelState, best: Weights | None, state: TrainingState
    ) -> tuple[ModelState, Throughput]:
        """Take the remaining steps of an epoch; after a signal, save those on the device."""
        throughput, start, saved = Throughput(), time.monotonic(), time.monotonic()
        compiling = sum(self.program.seconds.values())
        ids, per_epoch, together = self.examples.ids, self.per_epoch, self.program.together
        flight = StepsInFlight(
            self.seeds, ids, state, self.bar, together=together, per_epoch=per_epoch
        )
        position = state.epoch, state.batch
        feed = self.profiler.watch(
            epoch_feed(self.program, self.examples, self.seeds, self.hashes, *position)
        )
        try:
            while True:
                requested = time.monotonic()
                fed = next(feed, None)
                throughput.waiting += time.monotonic() - requested
                if fed is None:
                    break
                batch, positions, arguments = fed
                step = state.epoch * self.per_epoch + batch
                size = len(positions[0])
                with deferred():  # a step donates the state before it
                    model, means = self.program.step(model, arguments, step, self.key, size)
                    flight.start(batch, positions, means)
                    flight.finish(IN_FLIGHT)
                throughput.images += sum(map(len, positions))
                due = self.checkpoints and time.monotonic() - saved > SAVE_SECONDS
                if due and batch + 1 < self.per_epoch:  # the end of an epoch is always saved
                    flight.finish(0)
                    self._save(model, best, state)
                    saved = time.monotonic()
            flight.finish(0)
        except Interrupted:
            if jax.process_count() == 1:  # of several, each may be at another step
                self._save_interrupted(flight, model, best, state)
            raise
        self.bar.input_seconds += throughput.waiting
        compiling = sum(self.program.seconds.values()) - compiling
        throughput.seconds = time.monotonic() - start - compiling
        return model, throughput

    @deferred()
    def _save_interrupted(
        self, flight: StepsInFlight, model: ModelState, best: Weights | None, state: TrainingState
    ) -> None:
        """Finish the steps on the device and save them; the last of an epoch needs validation."""
        flight.finish(0)
        if 0 < state.batch < self.per_epoch:
            self._save(model, best, state)

    def _validate(
        self, model: ModelState, state: TrainingState, best: Weights | None
    ) -> tuple[Weights | None, Metrics]:
        """Return the best weights so far, and the validation metrics of this epoch."""
        if self.validation is None or best is None:
            return None, [{} for _ in self.seeds]
        metrics = evaluate(self.program, model.weights, self.validation, self.positive)
        for seed, values in zip(self.seeds, metrics, strict=True):
            if not np.isfinite(values["loss"]):
                raise InputError(
                    f"the validation loss of seed {seed} is {values['loss']} after epoch "
                    f"{state.epoch}: lower the learning rate"
                )
        better = state.update_best([values["accuracy"] for values in metrics])
        chosen = np.array(better if self.program.together else better[0])
        return select_weights(chosen, model.weights, best), metrics

    def _records(
        self, state: TrainingState, throughput: Throughput, metrics: Metrics
    ) -> list[Record]:
        steps = (state.epoch + 1) * self.per_epoch
        with jax.numpy_dtype_promotion("standard"):
            rate = np.asarray(self.schedule(max(0, steps // self.recipe.accumulate - 1))).item()
        shared = {"epoch": state.epoch, "step": steps, "learning_rate": rate, **throughput.record()}
        seeds = zip(self.seeds, state.sums, metrics, strict=True)
        return [epoch_record(seed, sums, values, **shared) for seed, sums, values in seeds]

    def _save(self, model: ModelState, best: Weights | None, state: TrainingState) -> None:
        if self.checkpoints:
            step = state.epoch * self.per_epoch + state.batch
            save_training(self.checkpoints, step, model, best, state)

    def _restored(
        self, model: ModelState, best: Weights | None, state: TrainingState
    ) -> tuple[ModelState, Weights | None, TrainingState]:
        if not (restored := restore_training(self.checkpoints, model, best)):
            return model, best, state
        model, best, state = restored
        self.bar.skip(self.bar.before + state.epoch * self.per_epoch + state.batch)
        names = ", ".join(map(str, self.seeds))
        self.log(f"seed {names}: {state.epoch} of {self.recipe.epochs} epochs are done")
        # Restored arrays go where the steps expect them, and share no buffer with the best.
        return self.program.place(model), best, state
