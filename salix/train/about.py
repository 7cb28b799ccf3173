"""What a training's manifest says: what decides its numbers, and the circumstances."""

import hashlib
import platform
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

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
        "start": [_digest(w) for w in weights],
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
    import salix

    device = jax.devices()[0]
    return {
        "name": name,
        "salix": salix.__version__,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "device": f"{jax.device_count()} x {device.device_kind} ({device.platform})",
    }


def _digest(weights: Weights) -> str:
    found = hashlib.sha256()
    held = (weights.params, weights.stats)
    for path, leaf in jax.tree_util.tree_leaves_with_path(held):
        array = np.asarray(leaf)
        found.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
