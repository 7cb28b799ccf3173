"""Checkpoints of a training by Orbax: each whole or absent, the newest alone kept."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from salix.typing import InputError


class Checkpoints:
    """The checkpoints of one training, in `path`.

    A checkpoint holds the arrays of a pytree by name, and a JSON value. `owner` is the hash of the
    training's configuration: a checkpoint of another is refused.
    """

    def __init__(self, path: Path, owner: str):
        import orbax.checkpoint as ocp

        self.path, self.owner = path, owner
        # A thread that saves while the next step runs would need a copy of the arrays given away.
        options = ocp.CheckpointManagerOptions(
            max_to_keep=1, enable_async_checkpointing=False, cleanup_tmp_directories=True
        )
        handlers = {"state": ocp.StandardCheckpointHandler(), "place": ocp.JsonCheckpointHandler()}
        self.manager = ocp.CheckpointManager(
            path.absolute(), options=options, item_handlers=handlers
        )

    def save(self, step: int, tree: Any, place: dict[str, Any]) -> None:
        """Write a checkpoint after that many steps."""
        import orbax.checkpoint as ocp

        place = {"owner": self.owner, **place}
        self.manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(_named(tree)), place=ocp.args.JsonSave(place)
            ),
            force=True,
        )

    def restore(self, like: Any) -> tuple[Any, dict[str, Any]] | None:
        """Return the newest checkpoint, in the structure of `like`, or None if there is none.

        Raises `InputError` for one of another training or another architecture.
        """
        import orbax.checkpoint as ocp

        step = self.manager.latest_step()
        if step is None:
            return None
        place = self.manager.restore(step, args=ocp.args.Composite(place=ocp.args.JsonRestore()))
        if place["place"].get("owner") != self.owner:
            raise InputError(f"{self.path} holds a checkpoint of another training: use a new out")
        wanted = {
            name: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding)
            for name, a in _named(like).items()
        }
        held = self.manager.item_metadata(step)["state"].tree
        differing = [
            name
            for name in sorted({*wanted, *held})
            if name not in wanted
            or name not in held
            or (tuple(held[name].shape), np.dtype(held[name].dtype))
            != (wanted[name].shape, wanted[name].dtype)
        ]
        if differing:
            some = ", ".join(differing[:3])
            raise InputError(
                f"{self.path} holds a checkpoint of another architecture ({some} differ): use a "
                "new out"
            )
        args = ocp.args.Composite(state=ocp.args.StandardRestore(wanted))
        found = self.manager.restore(step, args=args)["state"]
        leaves = [found[name] for name in _named(like)]
        return jax.tree.unflatten(jax.tree.structure(like), leaves), place["place"]

    def close(self) -> None:
        """Finish what is being written."""
        self.manager.close()


def _named(tree: Any) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
