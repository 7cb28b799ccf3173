"""Validation metrics: the loss and its parts, accuracy, AUC, detection rates and ACER."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from salix.stats import ACER_GRID, FDR_LEVELS, auc_interval, detection_rate, minimum_acer
from salix.train.examples import TrainingImages
from salix.train.feed import take_part
from salix.train.network import Weights
from salix.train.program import TrainingProgram
from salix.train.streamed import Streamed

NAN = float("nan")
RANKING = ("auc", *(f"tdr_{level:g}" for level in FDR_LEVELS), "acer", "acer_grid")


def evaluate(
    program: TrainingProgram, weights: Weights, data: TrainingImages | Streamed, positive: int
) -> list[dict[str, float]]:
    """Return the validation metrics of each seed.

    The loss is the mean over batches of the batch loss, weighted by their images; its parts are
    means over images. See `classification_metrics` for the rest.
    """
    size, count = program.recipe.batch_size, len(data.labels)
    counts = [min(size, count - i) for i in range(0, count, size)]
    # The first image fills the last batch, so that one program serves all batches.
    batches = [
        np.append(np.arange(n), np.zeros(size - n, int)) + i * size for i, n in enumerate(counts)
    ]
    own = [program.part(batch) for batch in batches]
    outputs: list[dict[str, np.ndarray]] = []
    losses: list[list[float]] = []
    taken = take_part(data, own, batches)
    for images, rows, (pixels, masks) in zip(counts, own, taken, strict=True):
        batch = {"pixels": pixels, "labels": data.labels[rows], "reference_masks": masks}
        parts = jax.device_get(program.evaluate(weights, batch, size))
        parts = parts if program.together else {n: p[None] for n, p in parts.items()}
        parts = {n: p[:, :images] for n, p in parts.items()}
        by_seed = [
            {n: jnp.array(p[i]) for n, p in parts.items()} for i in range(len(parts["loss"]))
        ]
        losses.append([float(program.recipe.loss.combine(p)) * images for p in by_seed])
        outputs.append(parts)
    values = {name: np.concatenate([o[name] for o in outputs], 1) for name in outputs[0]}
    metrics = []
    for seed, loss in enumerate(np.sum(losses, 0) / count):
        means = {n: float(p[seed].mean()) for n, p in values.items() if n != "logits"}
        ranks = classification_metrics(values["logits"][seed], data.labels, positive)
        metrics.append(means | {"loss": float(loss)} | ranks)
    return metrics


def classification_metrics(
    logits: np.ndarray, labels: np.ndarray, positive: int
) -> dict[str, float]:
    r"""Return accuracy, and for two classes AUC, TDR at each of `FDR_LEVELS`, and ACER.

    The score of an image is the difference of its logits, positive class minus the other; for
    `ACER_GRID` its logistic, the probability. All in [0, 1]; NaN for more than two classes, or
    where one of the two is absent.
    """
    accuracy = {"accuracy": float((logits.argmax(1) == labels).mean())}
    if logits.shape[1] != 2:
        return accuracy | dict.fromkeys(RANKING, NAN)
    logits = logits.astype(np.float64)
    score, truth = logits[:, positive] - logits[:, 1 - positive], labels == positive
    rates = [detection_rate(score, truth, level) for level in FDR_LEVELS]
    probability = 1 / (1 + np.exp(-np.clip(score, -700, 700)))
    grid = minimum_acer(probability, truth, thresholds=ACER_GRID)
    values = (
        auc_interval(score, truth).value,
        *rates,
        minimum_acer(score, truth).value,
        grid.value,
    )
    return accuracy | dict(zip(RANKING, values, strict=True))


def positive_class(classes: Sequence[str]) -> int:
    """Return the index of the positive class: "fake", or else the last one."""
    names = [name.casefold() for name in classes]
    return names.index("fake") if "fake" in names else len(names) - 1
