"""One training from its first step to its last: of one seed, or of several that step together."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from salix.data import id_hash
from salix.progress import Progress
from salix.train import history
from salix.train.check import no_reference_masks
from salix.train.checkpoint import Checkpoints
from salix.train.evaluate import evaluate, positive_class
from salix.train.examples import Examples, Streamed, pick
from salix.train.history import Record
from salix.train.network import Weights
from salix.train.program import Program, State
from salix.train.sampling import order
from salix.train.state import Pace, Place, not_finite, record
from salix.typing import InputError

IN_FLIGHT = 2  # steps on the device while the next batch is made
SAVE_SECONDS = 300.0  # at most this much work is lost to a kill within an epoch


@dataclass(frozen=True)
class Finished:
    """Weights of the best and the last epoch, which epoch was best for each seed, all numbers."""

    best: Weights
    last: Weights
    epochs: tuple[int, ...]
    history: list[Record]


class Track:
    """Trains the seeds `of` by one program, in the directory `path` if there is one."""

    def __init__(
        self,
        program: Program,
        examples: Examples | Streamed,
        held: Examples | Streamed | None,
        of: tuple[int, ...],
        classes: tuple[str, ...],
        path: Path | None,
        owner: str,
    ):
        self.program, self.recipe = program, program.recipe
        self.examples, self.held, self.seeds = examples, held, of
        self.positive, self.path = positive_class(classes), path
        self.hashes = np.array([id_hash(id) for id in examples.ids], np.uint32)
        self.per_epoch = self.recipe.batches(len(examples.labels))
        self.schedule = self.recipe.schedule(len(examples.labels))
        self.checkpoints = path and Checkpoints(path / "checkpoints", owner)
        self.records: list[Record] = []
        numbers = np.array(of, np.uint32)
        self.key = numbers if program.together else numbers[0]

    def run(self, weights: list[Weights], bar: Progress, tell: Callable[[str], None]) -> Finished:
        """Train to the end, from the newest checkpoint if there is one."""
        together = self.program.together
        start = jax.tree.map(lambda *a: jnp.stack(a), *weights) if together else weights[0]
        state = self.program.start(start)
        best = self.program.place(State(start, ())).weights if self.held else None
        place = Place.start(len(self.seeds))
        try:
            if self.checkpoints:
                state, best, place = self._restored(state, best, place, bar, tell)
            while place.epoch < self.recipe.epochs:
                state, pace = self._epoch(state, best, place, bar)
                unguided = not any(sums["guided"] for sums in place.sums)
                if unguided and self.program.guided:
                    raise no_reference_masks(self.recipe)
                best, found = self._validate(state, place, best)
                records = self._records(place, pace, found)
                for told in records:
                    tell(history.line(told, self.recipe.epochs))
                if self.path:  # before the checkpoint: a kill between them repeats the epoch
                    history.write(self.path, place.epoch, records)
                self.records += records
                place.next_epoch()
                self._save(state, best, place)
        finally:
            if self.checkpoints:
                self.checkpoints.close()
        last = state.weights
        at = tuple(place.at) if best else (self.recipe.epochs - 1,) * len(self.seeds)
        every = history.read(self.path) if self.path else self.records
        return Finished(best or last, last, at, every)

    def _epoch(
        self, state: State, best: Weights | None, place: Place, bar: Progress
    ) -> tuple[State, Pace]:
        """Take the steps of one epoch that are left."""
        flying: deque[tuple[int, list[np.ndarray], Any]] = deque()
        pace, began, saved = Pace(), time.monotonic(), time.monotonic()
        compiling = sum(self.program.seconds.values())

        def land() -> None:
            batch, chosen, told = flying.popleft()
            self._add(place, batch, chosen, jax.device_get(told))
            bar.advance(1)

        feed = self._batches(place.epoch, place.batch)
        while True:
            asked = time.monotonic()
            given = next(feed, None)
            pace.waiting += time.monotonic() - asked
            if given is None:
                break
            batch, chosen, arguments = given
            step = place.epoch * self.per_epoch + batch
            state, told = self.program.step(state, arguments, step, self.key)
            flying.append((batch, chosen, told))
            pace.images += sum(map(len, chosen))
            while len(flying) > IN_FLIGHT:
                land()
            late = self.checkpoints and time.monotonic() - saved > SAVE_SECONDS
            if late and batch + 1 < self.per_epoch:  # the end of the epoch is saved anyway
                while flying:
                    land()
                self._save(state, best, place)
                saved = time.monotonic()
        while flying:
            land()
        compiling = sum(self.program.seconds.values()) - compiling
        pace.seconds = time.monotonic() - began - compiling
        return state, pace

    def _batches(
        self, epoch: int, done: int
    ) -> Iterator[tuple[int, list[np.ndarray], dict[str, Any]]]:
        """Yield number, images of each seed and arguments of the batches that are not done."""
        labels = self.examples.labels
        orders = [order(self.recipe, labels, seed, epoch)[done:] for seed in self.seeds]
        feeds = zip(*(self.examples.take(chosen) for chosen in orders), strict=True)
        for batch, (chosen, taken) in enumerate(zip(zip(*orders, strict=True), feeds, strict=True)):
            each = [
                {"pixels": p, "labels": labels[of], "reference_masks": g, "hashes": self.hashes[of]}
                for of, (p, g) in zip(chosen, taken, strict=True)
            ]
            together = self.program.together
            stacked = jax.tree.map(lambda *a: np.stack(a), *each) if together else each[0]
            yield done + batch, list(chosen), stacked

    def _add(self, place: Place, batch: int, chosen: list[np.ndarray], told: Any) -> None:
        """Add the numbers of a batch to those of its epoch; a loss that is not finite ends it."""
        together = self.program.together
        means = [
            {n: float(v[at] if together else v) for n, v in told.items()}
            for at in range(len(self.seeds))
        ]
        for seed, of, found in zip(self.seeds, chosen, means, strict=True):
            if not np.isfinite(found["loss"]):
                step = place.epoch * self.per_epoch + batch
                named = pick(self.examples.ids, of)
                raise not_finite(seed, found["loss"], step, place.epoch, named)
        place.add(means, len(chosen[0]))

    def _validate(
        self, state: State, place: Place, best: Weights | None
    ) -> tuple[Weights | None, list[dict[str, float]]]:
        """Return the best weights so far, and the numbers of this epoch's validation."""
        if self.held is None or best is None:
            return None, [{} for _ in self.seeds]
        found = evaluate(self.program, state.weights, self.held, self.positive)
        for seed, numbers in zip(self.seeds, found, strict=True):
            if not np.isfinite(numbers["loss"]):
                raise InputError(
                    f"the validation loss of seed {seed} is {numbers['loss']} after epoch "
                    f"{place.epoch}: lower the learning rate"
                )
        better = place.judge([numbers["accuracy"] for numbers in found])
        chosen = np.array(better if self.program.together else better[0])
        return _choose(chosen, state.weights, best), found

    def _records(self, place: Place, pace: Pace, found: list[dict[str, float]]) -> list[Record]:
        steps = (place.epoch + 1) * self.per_epoch
        with jax.numpy_dtype_promotion("standard"):
            rate = np.asarray(self.schedule(max(0, steps // self.recipe.accumulate - 1))).item()
        told = {"epoch": place.epoch, "step": steps, "learning_rate": rate, **pace.told()}
        each = zip(self.seeds, place.sums, found, strict=True)
        return [record(seed, sums, held, **told) for seed, sums, held in each]

    def _save(self, state: State, best: Weights | None, place: Place) -> None:
        if self.checkpoints:
            step = place.epoch * self.per_epoch + place.batch
            self.checkpoints.save(step, _tree(state, best), vars(place))

    def _restored(
        self, state: State, best: Any, place: Place, bar: Progress, tell: Callable[[str], None]
    ) -> tuple[State, Any, Place]:
        found = self.checkpoints and self.checkpoints.restore(_tree(state, best))
        if not found:
            return state, best, place
        tree, held = found
        place = Place(**{name: held[name] for name in vars(place)})
        done = place.epoch * self.per_epoch + place.batch
        bar.skip(bar.before + done)
        names = ", ".join(map(str, self.seeds))
        tell(f"seed {names}: {place.epoch} of {self.recipe.epochs} epochs are done")
        if best is not None:
            best = replace(best, **tree["best"])
        weights = replace(state.weights, params=tree["params"], stats=tree["stats"])
        # Restored arrays go where the steps expect them, and none is shared with the best.
        return self.program.place(State(weights, tree["optimiser"])), best, place


def _tree(state: State, best: Weights | None) -> dict[str, Any]:
    kept = {} if best is None else {"best": {"params": best.params, "stats": best.stats}}
    weights = state.weights
    return {"params": weights.params, "stats": weights.stats, "optimiser": state.optimiser} | kept


@jax.jit
def _choose(better: Any, new: Weights, old: Weights) -> Weights:
    """Return the better weights; random streams never change, and are the old ones'."""

    def pick(new: Any, old: Any) -> Any:
        return jnp.where(better.reshape(better.shape + (1,) * (new.ndim - better.ndim)), new, old)

    params = jax.tree.map(pick, new.params, old.params)
    return replace(old, params=params, stats=jax.tree.map(pick, new.stats, old.stats))
