"""Resumable training state, throughput, the record of an epoch, and the training's result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from salix.train.history import Record
from salix.train.network import Weights
from salix.typing import InputError


@dataclass
class TrainingState:
    """Position in the training and running sums; what a checkpoint stores besides arrays.

    Lists have one element for each seed.
    """

    epoch: int
    batch: int  # finished batches of the epoch
    sums: list[dict[str, float]]  # over the images of the epoch so far
    best_accuracy: list[float]  # on validation data
    best_epoch: list[int]  # -1 before the first

    @staticmethod
    def initial(seeds: int) -> "TrainingState":
        """Return the state before the first step."""
        return TrainingState(0, 0, [{} for _ in range(seeds)], [-1.0] * seeds, [-1] * seeds)

    def add_batch(self, means: Sequence[Mapping[str, float]], images: int) -> None:
        """Add a batch, given the means over its images for each seed."""
        for sums, batch in zip(self.sums, means, strict=True):
            for name, mean in {**batch, "images": 1.0}.items():
                sums[name] = sums.get(name, 0.0) + mean * images
        self.batch += 1

    def update_best(self, accuracies: Sequence[float]) -> list[bool]:
        """Record the best epoch, the later of equals; returns for which seeds it is this one."""
        better = [now >= best for now, best in zip(accuracies, self.best_accuracy, strict=True)]
        for seed, is_best in enumerate(better):
            if is_best:
                self.best_accuracy[seed], self.best_epoch[seed] = accuracies[seed], self.epoch
        return better

    def next_epoch(self) -> None:
        """Go on to the next epoch."""
        self.epoch, self.batch, self.sums = self.epoch + 1, 0, [{} for _ in self.sums]


@dataclass(frozen=True)
class TrainingResult:
    """Weights of the best and the last epoch, the best epoch of each seed, and the history."""

    best: Weights
    last: Weights
    best_epochs: tuple[int, ...]
    history: tuple[Record, ...]


@dataclass
class Throughput:
    """Images of an epoch, its seconds without compilation, and those of waiting for data."""

    images: int = 0
    seconds: float = 0.0
    waiting: float = 0.0

    def record(self) -> dict[str, float]:
        """Return images per second, and the share of time spent waiting for data."""
        seconds = max(self.seconds, 1e-9)
        return {"images_per_second": self.images / seconds, "waiting": self.waiting / seconds}


def epoch_record(
    seed: int, sums: Mapping[str, float], validation: Mapping[str, float], **more: float
) -> Record:
    """Return the record of one seed and epoch, from sums over images and validation metrics."""
    means = {f"train_{n}": v / sums["images"] for n, v in sums.items() if n != "images"}
    return {"seed": seed, **more, **means, **{f"validation_{n}": v for n, v in validation.items()}}


def diverged(seed: int, loss: float, step: int, epoch: int, ids: Sequence[str]) -> InputError:
    """Return the error of a training whose loss is NaN or infinite."""
    listed = ", ".join(ids[:20]) + (f", … ({len(ids)} in all)" if len(ids) > 20 else "")
    return InputError(
        f"the loss of seed {seed} is {loss} in step {step} (epoch {epoch}, images {listed}): "
        "lower the learning rate, or look at these images"
    )
