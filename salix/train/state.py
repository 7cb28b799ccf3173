"""How far a training has come, and what it has come to since the epoch began."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from salix.train.history import Record
from salix.typing import InputError


@dataclass
class Place:
    """What a checkpoint holds besides arrays; the lists are one for each seed."""

    epoch: int
    batch: int  # of the epoch, done
    sums: list[dict[str, float]]  # over the images of the epoch so far
    best: list[float]  # validation accuracy of the best epoch
    at: list[int]  # that epoch; -1 before the first

    @staticmethod
    def start(seeds: int) -> "Place":
        """Return the place before the first step."""
        return Place(0, 0, [{} for _ in range(seeds)], [-1.0] * seeds, [-1] * seeds)

    def add(self, means: Sequence[Mapping[str, float]], images: int) -> None:
        """Count a batch: means over its images, for each seed."""
        for sums, found in zip(self.sums, means, strict=True):
            for name, mean in {**found, "images": 1.0}.items():
                sums[name] = sums.get(name, 0.0) + mean * images
        self.batch += 1

    def judge(self, accuracies: Sequence[float]) -> list[bool]:
        """Return which seeds are at their best, the later epoch of equals, and remember it."""
        better = [now >= best for now, best in zip(accuracies, self.best, strict=True)]
        for at, is_best in enumerate(better):
            if is_best:
                self.best[at], self.at[at] = accuracies[at], self.epoch
        return better

    def next_epoch(self) -> None:
        """Go on to the next epoch."""
        self.epoch, self.batch, self.sums = self.epoch + 1, 0, [{} for _ in self.sums]


@dataclass
class Pace:
    """Time of an epoch less that of compiling, and of it that of waiting for data."""

    images: int = 0
    seconds: float = 0.0
    waiting: float = 0.0

    def told(self) -> dict[str, float]:
        """Return images a second, and the share of time waiting for data."""
        seconds = max(self.seconds, 1e-9)
        return {"images_per_second": self.images / seconds, "waiting": self.waiting / seconds}


def record(
    seed: int, sums: Mapping[str, float], held: Mapping[str, float], **more: float
) -> Record:
    """Return the numbers of one seed and epoch, of sums over its images and of validation."""
    means = {f"train_{n}": v / sums["images"] for n, v in sums.items() if n != "images"}
    return {"seed": seed, **more, **means, **{f"validation_{n}": v for n, v in held.items()}}


def not_finite(seed: int, loss: float, step: int, epoch: int, ids: Sequence[str]) -> InputError:
    """Return the error of a loss that is NaN or infinite."""
    listed = ", ".join(ids[:20]) + (f", … ({len(ids)} in all)" if len(ids) > 20 else "")
    return InputError(
        f"the loss of seed {seed} is {loss} in step {step} (epoch {epoch}, images {listed}): "
        "lower the learning rate, or look at these images"
    )
