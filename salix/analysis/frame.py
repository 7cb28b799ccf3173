"""What the report takes from a run: its rows, also where there are none yet."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from salix.store import Run
from salix.typing import Column

SCALARS = ("score", "histogram_entropy", "spatial_entropy", "gini")
STANDARD = (
    *("index", "id", "label", "skipped", "predicted", "target", "logits", *SCALARS),
    *("constant_map", "finite", "map", "thumb", "reference_mask"),
)  # columns of any sweep of a classifier


def measured(run: Run) -> dict[str, np.ndarray]:
    """Return the columns of the measured images; empty ones for a run without finished rows.

    Raises `InputError` for a directory that is not a run.
    """
    return run.rows


def skipped(run: Run) -> list[dict[str, Any]]:
    """Return id, label and reason of the images that could not be read."""
    return run.skipped


def total(run: Run) -> int:
    """Return the number of images that the run's data holds."""
    return run.count


def measure_names(run: Run) -> list[str]:
    """Return the columns that measures added, in their order."""
    return [name for name in run.columns if name not in STANDARD]


def flags(run: Run, name: str) -> np.ndarray:
    """Return the column `constant_map` or `finite`; a missing flag is False."""
    return np.array([bool(value) for value in measured(run)[name]], bool)


def lead(run: Run) -> np.ndarray:
    r"""Return $z_1 - z_0$ of each image: P(class 1) on the scale of the logit, for two classes.

    It ranks as the probability does, without the ties that appear where that rounds to 0 or 1.
    """
    logits = measured(run)["logits"].astype(np.float64)
    with np.errstate(invalid="ignore"):  # of two infinite logits: NaN, which is then counted
        return logits[:, 1] - logits[:, 0]


def probabilities(run: Run, index: int) -> np.ndarray:
    """Return the softmax of one image's logits, [k]; NaN where a logit is not finite."""
    logits = measured(run)["logits"][index].astype(np.float64)
    with np.errstate(invalid="ignore"):
        e = np.exp(logits - logits.max())
        return e / e.sum()


def explained(run: Run) -> str:
    """Say which class the maps explain, from the rows themselves."""
    rows = measured(run)
    target = rows["target"]
    if not len(target):
        return "none"
    if (target == rows["predicted"]).all():
        return "the predicted class"
    if (target == target[0]).all():
        return f"class {run.classes[int(target[0])]}"
    return "the labelled class" if (target == rows["label"]).all() else "mixed"


def columns(runs: Sequence[Run]) -> dict[str, Column]:
    """Return what the columns of measures mean, by name: the first run's word counts."""
    found: dict[str, Column] = {}
    for run in runs:
        found = run.columns | found
    return {name: column for name, column in found.items() if name not in STANDARD and column.title}
