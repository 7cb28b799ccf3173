"""What a run's manifest says: the configuration that decides its rows, and the circumstances."""

from typing import Any

from salix.attribution import pooling_of
from salix.data import Source
from salix.engine.classification import Task
from salix.store import circumstances, digest, weights_digest
from salix.typing import Params


def configuration(
    task: Task, params: Params, source: Source, columns: dict[str, Any], batch_size: int, seed: int
) -> dict[str, Any]:
    """Return everything that decides a row, as JSON.

    The batch size is part of it: a run that is taken up again must fill the same slots of the
    same program for its rows to be equal to the last bit.
    """
    return {
        "model": task.model.name,
        "weights": weights_digest(params),
        "classes": list(task.model.classes),
        "preprocess": repr(task.model.preprocess),
        "attribution": repr(task.method),
        "pooling": pooling_of(task.method),
        "score": repr(task.score),
        "precision": task.precision,
        "measures": [repr(m) for m in task.measures],
        "grid": list(columns["map"].shape[1:]),
        "data": {
            "count": len(source.ids),
            "fingerprint": digest([list(source.ids), list(source.labels)]),
        },
        "batch_size": batch_size,
        "seed": seed,
    }


def about_run(name: str, group: str | None) -> dict[str, Any]:
    """Return the circumstances of a run: names, versions, device."""
    return {"name": name, "group": group or name, **circumstances()}
