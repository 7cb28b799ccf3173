"""Atomic checkpoints of a training, written by Orbax; older ones are deleted."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from salix.interrupts import deferred
from salix.train.exchange import broadcast, in_first
from salix.train.network import Weights
from salix.train.placement import local_copies
from salix.train.state import TrainingState
from salix.train.step import ModelState
from salix.typing import InputError


class Checkpoints:
    """The checkpoints of one training, in `path`.

    A checkpoint has the arrays of a pytree by name, and a JSON value. `owner` is the hash of the
    training's configuration: a checkpoint of another is refused.
    """

    @deferred()
    def __init__(self, path: Path, owner: str):
        import orbax.checkpoint as ocp

        self.path, self.owner = path, owner
        # Asynchronous saves would need a copy of the arrays, whose buffers the next step reuses.
        options = ocp.CheckpointManagerOptions(
            max_to_keep=1,
            enable_async_checkpointing=False,
            cleanup_tmp_directories=True,
            **_alone(path.absolute()),
        )
        handlers = {
            "arrays": ocp.StandardCheckpointHandler(),
            "progress": ocp.JsonCheckpointHandler(),
        }
        self.manager = ocp.CheckpointManager(
            path.absolute(), options=options, item_handlers=handlers
        )

    @deferred()
    def save(self, step: int, arrays: Any, progress: dict[str, Any]) -> None:
        """Write a checkpoint after that many steps, unless there is one."""
        import orbax.checkpoint as ocp

        if self.manager.latest_step() == step:
            return
        items = ocp.args.Composite(
            arrays=ocp.args.StandardSave(_as_saved(_by_name(arrays))),
            progress=ocp.args.JsonSave({"owner": self.owner, **progress}),
        )
        self.manager.save(step, args=items, force=True)

    @deferred()
    def restore(self, like: Any) -> tuple[Any, dict[str, Any]] | None:
        """Return the newest checkpoint, in the structure of `like`, or None if there is none.

        Raises `InputError` for one of another training or another architecture.
        """
        import orbax.checkpoint as ocp

        step = self.manager.latest_step()
        if step is None:
            return None
        args = ocp.args.Composite(progress=ocp.args.JsonRestore())
        progress = self.manager.restore(step, args=args)["progress"]
        if progress.get("owner") != self.owner:
            raise InputError(
                f"{self.path} has a checkpoint of another training: give another --out"
            )
        expected = {
            name: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding)
            for name, a in _by_name(like).items()
        }
        stored = self.manager.item_metadata(step)["arrays"].tree
        if differing := _differing(expected, stored):
            raise InputError(
                f"{self.path} has a checkpoint of another architecture ({', '.join(differing[:3])} "
                "differ): give another --out"
            )
        args = ocp.args.Composite(arrays=ocp.args.StandardRestore(expected))
        arrays = self.manager.restore(step, args=args)["arrays"]
        leaves = [arrays[name] for name in _by_name(like)]
        return jax.tree.unflatten(jax.tree.structure(like), leaves), progress

    @deferred()
    def close(self) -> None:
        """Finish pending writes."""
        self.manager.close()


def save_training(
    checkpoints: Checkpoints,
    step: int,
    model: ModelState,
    best: Weights | None,
    state: TrainingState,
) -> None:
    """Write a checkpoint of weights, optimiser, best weights and position in the training."""
    checkpoints.save(step, _arrays(model, best), vars(state))


def restore_training(
    checkpoints: Checkpoints | None, model: ModelState, best: Weights | None
) -> tuple[ModelState, Weights | None, TrainingState] | None:
    """Return the newest checkpoint, or None; `model` and `best` have its structure and streams.

    Process 0 reads it, and passes it on to the others, where `checkpoints` is None.
    """
    arrays, structure = local_copies(_arrays(model, best)), jax.tree.structure(_arrays(model, best))

    def read() -> dict[str, Any] | None:
        nonlocal arrays
        assert checkpoints is not None
        if (checkpoint := checkpoints.restore(arrays)) is None:
            return None
        arrays, progress = checkpoint
        return progress

    progress = in_first(read)
    if progress is None:
        return None
    if jax.process_count() > 1:
        received = broadcast({n: np.asarray(a) for n, a in _by_name(arrays).items()})
        arrays = jax.tree.unflatten(structure, list(received.values()))
    state = TrainingState(**{f.name: progress[f.name] for f in fields(TrainingState)})
    best = None if best is None else replace(best, **arrays["best"])
    weights = replace(model.weights, params=arrays["params"], stats=arrays["stats"])
    return ModelState(weights, arrays["optimiser"]), best, state


def _arrays(model: ModelState, best: Weights | None) -> dict[str, Any]:
    optional = {} if best is None else {"best": {"params": best.params, "stats": best.stats}}
    weights = model.weights
    arrays = {"params": weights.params, "stats": weights.stats, "optimiser": model.optimiser}
    return arrays | optional


def _alone(path: Path) -> dict[str, Any]:
    """Return the options of a manager in process 0, without which it waits for the others."""
    if jax.process_count() == 1:
        return {}
    import orbax.checkpoint as ocp

    path.mkdir(parents=True, exist_ok=True)
    processes = ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0})
    return {"multiprocessing_options": processes, "create": False}


def _as_saved(arrays: dict[str, Any]) -> dict[str, Any]:
    """Return NumPy arrays where there are several processes: Orbax refuses arrays of one."""
    if jax.process_count() == 1:
        return arrays
    return {name: np.asarray(array) for name, array in arrays.items()}


def _by_name(tree: Any) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def _differing(expected: dict[str, Any], stored: dict[str, Any]) -> list[str]:
    """Return the names of arrays that are not in both, or of another shape or dtype."""
    shapes = (
        {name: (tuple(a.shape), np.dtype(a.dtype)) for name, a in arrays.items()}
        for arrays in (expected, stored)
    )
    first, second = shapes
    return [n for n in sorted({*first, *second}) if first.get(n) != second.get(n)]
