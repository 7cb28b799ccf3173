"""Validation: the loss and its parts over held-out images, and how well they are told apart."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from salix.stats import ACER_GRID, FDR_LEVELS, auc_interval, detection_rate, minimum_acer
from salix.train.examples import Examples, Streamed
from salix.train.network import Weights
from salix.train.program import Program

NAN = float("nan")
RANKING = ("auc", *(f"tdr_{level:g}" for level in FDR_LEVELS), "acer", "acer_grid")


def evaluate(
    program: Program, weights: Weights, data: Examples | Streamed, positive: int
) -> list[dict[str, float]]:
    """Return the numbers of each seed over validation data.

    The loss is the mean over batches, weighed by their images, of the loss of a batch; its parts
    are means over images. See `numbers` for the rest.
    """
    size, count = program.recipe.batch_size, len(data.labels)
    chosen = [np.arange(i, min(i + size, count)) for i in range(0, count, size)]
    found: list[dict[str, np.ndarray]] = []
    losses: list[list[float]] = []
    for of, (pixels, reference_masks) in zip(chosen, data.take(chosen), strict=True):
        batch = {"pixels": pixels, "labels": data.labels[of], "reference_masks": reference_masks}
        parts = program.evaluate(weights, {n: _filled(a, size) for n, a in batch.items()})
        each = jax.device_get(parts)
        each = each if program.together else {n: p[None] for n, p in each.items()}
        each = {n: p[:, : len(of)] for n, p in each.items()}
        losses.append([_loss(program, each, seed) * len(of) for seed in range(len(each["loss"]))])
        found.append(each)
    every = {name: np.concatenate([f[name] for f in found], 1) for name in found[0]}
    told = []
    for seed, loss in enumerate(np.sum(losses, 0) / count):
        means = {n: float(p[seed].mean()) for n, p in every.items() if n != "logits"}
        ranks = numbers(every["logits"][seed], data.labels, positive)
        told.append(means | {"loss": float(loss)} | ranks)
    return told


def _loss(program: Program, parts: dict[str, np.ndarray], seed: int) -> float:
    return float(program.recipe.loss.combine({n: jnp.array(p[seed]) for n, p in parts.items()}))


def numbers(logits: np.ndarray, labels: np.ndarray, positive: int) -> dict[str, float]:
    r"""Return accuracy, and of two classes AUC, TDR at each of `FDR_LEVELS`, and ACER.

    The score of an image is the difference of its logits, positive class less the other; for
    `ACER_GRID` its logistic, the probability. All in [0, 1]; NaN beyond two classes, or unless
    both are there.
    """
    told = {"accuracy": float((logits.argmax(1) == labels).mean())}
    if logits.shape[1] != 2:
        return told | dict.fromkeys(RANKING, NAN)
    logits = logits.astype(np.float64)
    score, truth = logits[:, positive] - logits[:, 1 - positive], labels == positive
    rates = [detection_rate(score, truth, level) for level in FDR_LEVELS]
    grid = minimum_acer(1 / (1 + np.exp(-np.clip(score, -700, 700))), truth, thresholds=ACER_GRID)
    values = (
        auc_interval(score, truth).value,
        *rates,
        minimum_acer(score, truth).value,
        grid.value,
    )
    return told | dict(zip(RANKING, values, strict=True))


def positive_class(classes: Sequence[str]) -> int:
    """Return the index of the class that is to be detected: "fake", or else the last one."""
    named = [name.casefold() for name in classes]
    return named.index("fake") if "fake" in named else len(named) - 1


def _filled(array: Any, size: int) -> Any:
    """Fill a batch up with copies of its first image: one program serves all batches."""
    if array is None or len(array) == size:
        return array
    return np.concatenate([array, np.repeat(array[:1], size - len(array), 0)])
