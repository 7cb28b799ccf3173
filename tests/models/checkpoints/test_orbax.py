"""Reader of Orbax checkpoints: trees of training, damaged and refused folders."""

import json
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax import nnx

from salix import cli, models
from salix.models.checkpoints import formats, isolated
from salix.models.checkpoints.module_state import arrays
from salix.models.checkpoints.orbax import read_orbax
from salix.typing import InputError


def randomised(name: str) -> tuple[Any, Any]:
    model, params = models.load(name)
    draw = np.random.default_rng(1)
    return model, jax.tree.map(lambda x: np.asarray(draw.normal(size=x.shape), x.dtype), params)


def saved(path: Path, tree: Any) -> Path:
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path, tree)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small", "meso4"])  # lists of layers; statistics of norms
def test_checkpoints_of_training_are_loaded(tmp_path: Path, name: str) -> None:
    model, params = randomised(name)
    others = {"opt_state": [{"mu": np.ones(3)}], "step": np.int32(7)}
    manager = ocp.CheckpointManager(tmp_path / "manager")
    manager.save(3, args=ocp.args.StandardSave({"params": params, **others}))
    manager.wait_until_finished()
    manager.close()
    for path in (
        saved(tmp_path / "state", params),
        saved(tmp_path / "tree", {"params": params, **others}),
        saved(tmp_path / "plain", {"params": nnx.to_pure_dict(params)}),
        saved(tmp_path / "arrays", jax.tree.map(np.asarray, nnx.to_pure_dict(params))),
        tmp_path / "manager" / "3",
        tmp_path / "manager" / "3" / "default",
    ):
        assert formats.kind(path) == "orbax"
        restored, expected = read_orbax(path), arrays(params)
        assert set(restored) == set(expected)
        assert all((array == expected[n]).all() for n, array in restored.items())
    again, restored = models.load(name, tmp_path / "tree")
    assert again.classes == model.classes
    assert jax.tree.structure(restored) == jax.tree.structure(params)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), restored, params))
    assert models.load(name, path, classes=("a", "b"))[0].classes == ("a", "b")


@pytest.mark.slow
def test_a_checkpoint_is_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, params = randomised("small")
    path, out = saved(tmp_path / "net", {"params": params}), tmp_path / "net.safetensors"
    arguments = ["convert", "--model", "small", "--weights", str(path), "--out", str(out)]
    assert cli.main(arguments) == 0
    assert "small with 2 classes" in capsys.readouterr().out
    converted = formats.read(out)
    assert all((a == converted[n]).all() for n, a in arrays(params).items())


@pytest.mark.slow
def test_classes_are_counted_at_the_head(tmp_path: Path) -> None:
    about = models.MODELS["resnet18"]
    module = nnx.eval_shape(lambda: about.build(nnx.Rngs(0), 3))
    state = nnx.state(module, nnx.Any(nnx.Param, nnx.BatchStat))
    zeros = jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), nnx.to_pure_dict(state))
    path = saved(tmp_path / "net", zeros)
    assert models.load("resnet18", path)[0].classes == ("0", "1", "2")
    with pytest.raises(InputError, match="has 3 classes, not 2"):
        models.load("resnet18", path, classes=("a", "b"))


@pytest.mark.slow
def test_checkpoints_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    _, params = randomised("small")
    tree: Any = jax.tree.map(np.asarray, nnx.to_pure_dict(params))
    del tree["classifier"]["bias"]
    tree["extra"] = np.ones(2, np.float32)
    tree["classifier"]["kernel"] = np.ones((3, 2), np.float32)
    tree["convolutions"][0]["bias"] = np.full(16, np.nan, np.float32)
    path = saved(tmp_path / "net", {"params": tree})
    with pytest.raises(InputError) as caught:
        models.load("small", path)
    assert str(caught.value) == (
        f"{path} does not fit small: missing 1 (classifier.bias); unknown 1 (extra); "
        "misshaped 1 (classifier.kernel (3, 2), not (64, 2)); not finite 1 (convolutions.0.bias); "
        "salix inspect lists where each array goes"
    )
    with pytest.raises(InputError, match=r"has two arrays named 'a\.b'"):
        read_orbax(saved(tmp_path / "twice", {"a": {"b": np.ones(1)}, "a.b": np.ones(1)}))


def test_damaged_checkpoints_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = saved(tmp_path / "good", {"params": {"a": np.ones((64, 64), np.float32)}})
    monkeypatch.setattr(isolated, "array_limit", lambda size: 64 * 64 * 4 - 1)
    with pytest.raises(InputError, match="good: declares 16384 bytes of arrays, more than its"):
        read_orbax(good)
    monkeypatch.setattr(isolated, "array_limit", lambda size: 64 * 64 * 4)
    more = {"params": {"a": np.ones((64, 64), np.float32)}, "opt_state": {"mu": np.ones(9)}}
    assert set(read_orbax(saved(tmp_path / "more", more))) == {"a"}  # nothing else is read
    monkeypatch.undo()
    files = [p.relative_to(good) for p in good.rglob("*") if p.is_file() and p.stat().st_size > 99]
    assert len(files) > 2
    messages: list[str] = []
    for number, file in enumerate(files):
        bad = Path(shutil.copytree(good, tmp_path / f"bad{number}"))
        (bad / file).write_bytes(b"rot")
        try:
            assert (read_orbax(bad)["a"] == 1).all()  # not all of a checkpoint is needed
        except InputError as error:
            messages.append(str(error).removeprefix(f"{bad}: "))
    assert len(messages) >= 2
    assert {line.split(" (")[0] for line in messages} <= {
        "damaged, or not an Orbax checkpoint",
        "has no description of its arrays",
    }
    assert all(line.isprintable() for line in messages)
    listed = json.loads((good / "_METADATA").read_text())
    (good / "_METADATA").write_text(json.dumps({**listed, "tree_metadata": {}}))
    with pytest.raises(InputError):
        read_orbax(good)
    with pytest.raises(InputError, match="not an Orbax checkpoint"):
        read_orbax(tmp_path)
