"""What a training's manifest says: what decides its numbers, and the circumstances."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from salix.store import circumstances, weights_digest
from salix.train.examples import Examples, Streamed
from salix.train.network import Weights
from salix.train.program import Program


def configuration(
    program: Program,
    weights: Sequence[Weights],
    examples: Examples | Streamed,
    held: Examples | Streamed | None,
    seeds: tuple[int, ...],
    name: str,
    classes: tuple[str, ...],
) -> dict[str, Any]:
    """Return everything that decides the numbers of a training, as JSON."""

    def data(of: Examples | Streamed | None) -> Any:
        if of is None:
            return None
        counts = np.bincount(of.labels, minlength=len(classes)).tolist()
        balance = dict(zip(classes, counts, strict=True))
        return {"count": len(of.labels), "balance": balance, "fingerprint": of.fingerprint()}

    return {
        "kind": "training",
        "model": name,
        "start": [weights_digest((w.params, w.stats)) for w in weights],
        "classes": list(classes),
        "preprocess": repr(program.to),
        "recipe": repr(program.recipe),
        "seeds": list(seeds),
        "together": program.together,
        "data": data(examples),
        "validation": data(held),
    }


def about_training(name: str) -> dict[str, Any]:
    """Return the circumstances of a training: name, versions, device."""
    return {"name": name, **circumstances()}
