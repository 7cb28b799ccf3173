"""Orbax folders as training leaves them: train states, managers, items, hostile metadata."""

import json
import shutil
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from salix.models.checkpoints.formats import kind
from salix.models.checkpoints.orbax import read_orbax
from salix.typing import InputError

W, S, E = (np.full((2, 3), n, np.float32) for n in (1, 2, 3))
PARAMS = {"a": {"kernel": W}, "b": [{"bias": W}]}
STATISTICS = {"a": {"mean": S}}
OTHERS = {
    "step": np.int64(7),
    "opt_state": [{"mu": PARAMS, "count": np.int32(7)}, None],
    "rng": np.zeros(2, np.uint32),
    "epoch": 3,
}


def saved(path: Path, tree: Any) -> Path:
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path, tree)
    return path


def managed(path: Path, *steps: int, **args: Any) -> Path:
    with ocp.CheckpointManager(path, **args) as manager:
        for step in steps:
            tree = {"params": {"a": np.full(2, step, np.float32)}}
            manager.save(step, args=ocp.args.StandardSave(tree))
        manager.wait_until_finished()
    return path


@pytest.mark.parametrize(
    ("tree", "names"),
    [
        ({"params": PARAMS, "batch_stats": STATISTICS, **OTHERS}, "a.kernel a.mean b.0.bias"),
        ({"params": {"params": PARAMS, "batch_stats": STATISTICS}}, "a.kernel a.mean b.0.bias"),
        ({"params": {"model": PARAMS}, **OTHERS}, "a.kernel b.0.bias"),
        ({"state": {"params": PARAMS, **OTHERS}, "optimizer": PARAMS}, "a.kernel b.0.bias"),
        ({"params": PARAMS, "model_state": {"batch_stats": STATISTICS}},
         "a.kernel a.mean b.0.bias"),
        ({"a": {"kernel": {"value": W}}, "rngs": {"count": {"value": W}}}, "a.kernel"),
        ({"model": PARAMS, "teacher": PARAMS}, "model.a.kernel model.b.0.bias teacher.a.kernel "
         "teacher.b.0.bias"),
        ({"params": {"a": W}, "ema_params": {"a": E}, "batch_stats": {"m": S}},
         "ema_params.a ema_params.m params.a params.m"),
        ({"params": {"a": W}, "ema_params": {"a": E}, "batch_stats": {"m": S},
          "ema_batch_stats": {"m": E}}, "ema_params.a ema_params.m params.a params.m"),
        ({"backbone": {"a": W}, "backbone2": {"a": W}}, "backbone.a backbone2.a"),
        ({"encoder": {"a": W}}, "encoder.a"),  # may be a name of the network's own
        ({"params": {"w": W}}, "w"),
    ],
)  # fmt: skip
def test_trees_of_training_have_the_names_of_the_network(
    tmp_path: Path, tree: Any, names: str
) -> None:
    arrays = read_orbax(saved(tmp_path / "net", tree))
    assert sorted(arrays) == names.split()
    for name, array in arrays.items():
        own = "ema_batch_stats" in tree and name.startswith("ema")
        value = 2 if name.endswith(("mean", ".m")) and not own else 3 if "ema" in name else 1
        assert (array == value).all(), name


def test_of_a_manager_the_latest_step_is_read_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = managed(tmp_path / "run", 2, 10)
    (root / "12.orbax-checkpoint-tmp-99").mkdir()  # a save that was interrupted
    assert kind(root) == "orbax"
    assert read_orbax(root)["a"].tolist() == [10, 10]
    text = f"{root}: reads 10, the latest step; another is read by its folder, as {root / '2'}\n"
    assert capsys.readouterr().err == text
    assert read_orbax(root / "2")["a"].tolist() == [2, 2]
    assert capsys.readouterr().err == ""
    for name in ("step_3", "checkpoint_0004"):
        shutil.copytree(root / "2" / "default", tmp_path / "named" / name)
    read_orbax(tmp_path / "named")
    assert "reads checkpoint_0004, the latest step" in capsys.readouterr().err


@pytest.mark.slow
def test_items_of_a_step_are_found(tmp_path: Path) -> None:
    with ocp.CheckpointManager(tmp_path / "run") as manager:
        items = {"model_1": {"params": PARAMS}, "ema": {"params": PARAMS}, "opt_state": PARAMS}
        args = {name: ocp.args.StandardSave(tree) for name, tree in items.items()}
        manager.save(1, args=ocp.args.Composite(**args, meta=ocp.args.JsonSave({"a": 1})))
        manager.save(2, args=ocp.args.Composite(meta=ocp.args.JsonSave({"a": 1})))
        manager.wait_until_finished()
    names = {"a.kernel", "b.0.bias"}
    assert set(read_orbax(tmp_path / "run" / "1" / "model_1")) == names
    both = {f"{item}.params.{name}" for item in ("model_1", "ema") for name in names}
    assert set(read_orbax(tmp_path / "run" / "1")) == both
    assert set(read_orbax(tmp_path / "run")) == both  # the second step has no arrays
    with pytest.raises(InputError, match="2: is an Orbax checkpoint without arrays, or an unfin"):
        read_orbax(tmp_path / "run" / "2")


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"use_ocdbt": False}, {"use_ocdbt": True, "use_zarr3": True}])
def test_every_storage_and_type_is_read(tmp_path: Path, options: Any) -> None:
    tree = {
        "params": {"h": jnp.ones(3, jnp.bfloat16), "f": W, "s": np.ones((), np.float32)},
        "name": "x",
    }
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler(**options)) as checkpointer:
        checkpointer.save(tmp_path / "net", tree)
    arrays = read_orbax(tmp_path / "net")
    assert {name: str(array.dtype) for name, array in arrays.items()} == {
        "h": "bfloat16", "f": "float32", "s": "float32",
    }  # fmt: skip
    assert arrays["h"].tolist() == [1, 1, 1]


def test_unfinished_checkpoints_are_named(tmp_path: Path) -> None:
    unfinished = tmp_path / "run" / "7.orbax-checkpoint-tmp"
    shutil.copytree(saved(tmp_path / "net", {"params": PARAMS}), unfinished)
    with pytest.raises(InputError, match="tmp: is an unfinished Orbax checkpoint: name the folder"):
        read_orbax(unfinished)
    assert kind(tmp_path / "run") == "orbax"
    with pytest.raises(InputError, match=r"run: contains one unfinished Orbax checkpoint, 7\.orb"):
        read_orbax(tmp_path / "run")


def plain(path: Path) -> Path:
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler(use_ocdbt=False)) as checkpointer:
        checkpointer.save(path, {"a": np.ones((4, 4), np.float32)})
    return path


def shape(folder: Path) -> None:
    about = json.loads((folder / "a" / ".zarray").read_text())
    (folder / "a" / ".zarray").write_text(json.dumps(about | {"shape": [1 << 20, 1 << 12]}))


def chunk(folder: Path) -> None:
    about = json.loads((folder / "a" / ".zarray").read_text())
    (folder / "a" / ".zarray").write_text(json.dumps(about | {"chunks": [1 << 20, 1 << 12]}))


def missing(folder: Path) -> None:
    (folder / "a" / "0.0").unlink()


def outside(folder: Path) -> None:
    shutil.copytree(folder / "a", folder.parent / "secret")
    text = (folder / "_METADATA").read_text()
    (folder / "_METADATA").write_text(text.replace('"key": "a"', '"key": "../secret"'))


def deep(folder: Path) -> None:
    (folder / "_METADATA").write_text("[" * 100_000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (shape, "declares 17179869184 bytes of arrays, more than its size explains"),
        (chunk, "has chunks larger than the array at 'a'"),
        (missing, "damaged, or not an Orbax checkpoint"),
        (outside, "names an array outside its folder"),
        (deep, "damaged, or not an Orbax checkpoint"),
    ],
)
def test_hostile_checkpoints_are_refused(tmp_path: Path, attack: Any, message: str) -> None:
    folder = plain(tmp_path / "net")
    assert (read_orbax(folder)["a"] == 1).all()
    attack(folder)
    with pytest.raises(InputError, match=message):
        read_orbax(folder)
