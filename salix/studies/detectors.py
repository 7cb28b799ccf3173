"""Training of small detectors of forged faces, and a log with times, for the studies."""

import sys
import time
from collections.abc import Sequence
from typing import Any

from salix.models import MODELS, build
from salix.train import Recipe, TrainingImages, train
from salix.train.augment import Augment
from salix.train.losses import Loss
from salix.train.recipe import AdamW


def train_detectors(
    examples: TrainingImages, loss: Loss, *, seeds: Sequence[int], steps: int, title: str
) -> tuple[Any, list[Any]]:
    """Return the model `small` and the parameters of one detector for each seed; shows progress.

    `steps` of 32 images are rounded up to epochs; the images are mirrored at random.
    """
    size = min(32, len(examples.labels))
    recipe = Recipe(
        loss,
        AdamW(3e-3, weight_decay=0.0, warmup=0.0),
        epochs=-(-steps // (len(examples.labels) // size)),
        batch_size=size,
        augment=Augment(flip=0.5),
    )
    results = train(
        lambda seed: build("small", seed),
        examples,
        recipe,
        preprocess=MODELS["small"].preprocess,
        seeds=seeds,
        name="small",
        title=title,
        progress=True,
    )
    return results[0].model, [result.params for result in results]


class TimedLog:
    """Log to the standard error, with the seconds since the start."""

    def __init__(self):
        self.start = time.monotonic()

    def __call__(self, line: str) -> None:
        print(f"[{time.monotonic() - self.start:5.0f} s] {line}", file=sys.stderr, flush=True)
