"""Manifest of a training: the configuration that decides its numbers, and its circumstances."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from salix.store import circumstances, weights_digest
from salix.train.examples import TrainingImages
from salix.train.network import Weights
from salix.train.program import TrainingProgram
from salix.train.streamed import Streamed


def configuration(
    program: TrainingProgram,
    *,
    weights: Sequence[Weights],
    examples: TrainingImages | Streamed,
    validation: TrainingImages | Streamed | None,
    seeds: tuple[int, ...],
    name: str,
    classes: tuple[str, ...],
) -> dict[str, Any]:
    """Return everything that decides the numbers of a training, as JSON."""

    def describe(data: TrainingImages | Streamed | None) -> Any:
        if data is None:
            return None
        counts = np.bincount(data.labels, minlength=len(classes)).tolist()
        balance = dict(zip(classes, counts, strict=True))
        return {"count": len(data.labels), "balance": balance, "fingerprint": data.fingerprint()}

    return {
        "kind": "training",
        "model": name,
        "start": [weights_digest((w.params, w.stats)) for w in weights],
        "classes": list(classes),
        "preprocess": repr(program.preprocess),
        "recipe": repr(program.recipe),
        "seeds": list(seeds),
        "together": program.together,
        "data": describe(examples),
        "validation": describe(validation),
    }


def about_training(name: str) -> dict[str, Any]:
    """Return the circumstances of a training: name, versions, devices, processes."""
    processes = {"processes": count} if (count := jax.process_count()) > 1 else {}
    return {"name": name, **circumstances(), **processes}
