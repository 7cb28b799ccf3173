"""Training converges, resumes bit-identically after a kill, and stops with clear errors."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from flax import nnx
from jax import numpy as jnp

from salix.data import Arrays
from salix.interrupts import Interrupted, signals_as_exceptions
from salix.preprocess import Preprocess
from salix.train import CYBORG, CrossEntropy, Recipe, TrainingImages, history, train, trainer
from salix.train.augment import Augment
from salix.train.recipe import SGD, AdamW
from salix.train.state import TrainingState
from salix.typing import InputError

TO = Preprocess((16, 16))


class Net(nnx.Module):
    """A convolution with normalisation, dropout, and a linear layer."""

    def __init__(self, seed):
        rngs = nnx.Rngs(seed)
        self.conv = nnx.Conv(3, 8, (3, 3), strides=2, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(8, momentum=0.9, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)
        self.linear = nnx.Linear(8, 2, rngs=rngs)

    def trunk(self, x):
        """Return features."""
        return jax.nn.relu(self.norm(self.conv(x)))

    def head(self, features):
        """Return logits."""
        return self.linear(self.dropout(jnp.mean(features, axis=(1, 2))))


def noise_faces(count=64):
    """Return noise images: a fake is brighter in its upper half, which its mask marks."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(60, 120, (count, 16, 16, 3)).astype(np.uint8)
    labels = np.arange(count, dtype=np.int32) % 2
    pixels[labels == 1, :8] += 60
    reference_masks = np.zeros((count, 8, 8), np.uint8)
    reference_masks[labels == 1, :4] = 255
    return TrainingImages(pixels, labels, reference_masks)


FACES = noise_faces()
RECIPE = Recipe(CYBORG(0.5, "true"), SGD(0.05), epochs=4, batch_size=9,
                augment=Augment(), validation=0.2)  # fmt: skip


def same(a, b):
    """Whether two trainings have the same results, to the last bit."""
    trees = zip(
        jax.tree.leaves((a.params, a.last_params)),
        jax.tree.leaves((b.params, b.last_params)),
        strict=True,
    )
    numbers = [[{n: v for n, v in r.items() if n not in ("images_per_second", "waiting")}
                for r in t.history] for t in (a, b)]  # fmt: skip
    arrays = all((np.asarray(x) == np.asarray(y)).all() for x, y in trees)
    return arrays and repr(numbers[0]) == repr(numbers[1]) and a.best_epoch == b.best_epoch


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """Share compiled programs among the trainings of this module."""
    folder = str(tmp_path_factory.mktemp("cache"))
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    old = [getattr(jax.config, name) for name in names]
    for name, value in zip(names, (folder, 0), strict=True):
        jax.config.update(name, value)
    yield {name.upper(): value for name, value in zip(names, (folder, "0"), strict=True)}
    for name, value in zip(names, old, strict=True):
        jax.config.update(name, value)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """An uninterrupted training, its directory and its log."""
    out = tmp_path_factory.mktemp("uninterrupted")
    lines = []
    return train(Net, FACES, RECIPE, preprocess=TO, out=out, log=lines.append)[0], out, lines


@pytest.mark.slow
@pytest.mark.parametrize("loss", [CrossEntropy(), CYBORG(0.5, "true")], ids=repr)
def test_training_learns_and_repeats(loss):
    recipe = Recipe(loss, AdamW(0.02), epochs=40, batch_size=24, augment=Augment())
    results = train(Net, FACES, recipe, preprocess=TO, seeds=(0, 1))
    assert [t.seed for t in results] == [0, 1]
    for trained in results:
        logits = jax.vmap(lambda p, t=trained: t.model.logits(t.params, TO(p)))(FACES.pixels)
        assert (np.argmax(logits, 1) == FACES.labels).mean() > 0.95
        assert len(trained.history) == 40
        assert trained.best_epoch == 39
    assert same(results[1], train(Net, FACES, recipe, preprocess=TO, seeds=(1,))[0])


def test_history_manifest_and_log(uninterrupted):
    trained, out, lines = uninterrupted
    rows = history.read(out / "seed-0")
    assert [r["epoch"] for r in rows] == [0, 1, 2, 3]
    parts = ["loss", "cross_entropy", "human", "cam_entropy", "has_reference_mask", "accuracy"]
    ranks = ["auc", "tdr_0.001", "tdr_0.002", "tdr_0.01", "tdr_0.05", "acer", "acer_grid"]
    names = {"seed", "epoch", "step", "learning_rate", "images_per_second", "waiting"}
    names |= {f"train_{n}" for n in parts} | {f"validation_{n}" for n in (*parts, *ranks)}
    assert set(rows[0]) == names
    assert rows[0]["learning_rate"] == pytest.approx(0.05)
    assert [r["step"] for r in rows] == [5, 10, 15, 20]  # of 52 images
    accuracy = [r["validation_accuracy"] for r in rows]
    assert trained.best_epoch == max(e for e in range(4) if accuracy[e] == max(accuracy))
    assert "epoch 4 of 4; train loss" in lines[-1]
    assert "AUC" in lines[-1]
    assert not list(out.rglob("*.tmp"))
    manifest = json.loads((out / "seed-0" / "manifest.json").read_text())
    assert manifest["config"]["recipe"] == repr(RECIPE)


def test_a_finished_training_is_read_back(uninterrupted):
    trained, out, _ = uninterrupted
    lines = []
    assert same(trained, train(Net, FACES, RECIPE, preprocess=TO, out=out, log=lines.append)[0])
    assert lines == ["seed 0: 4 of 4 epochs are done"]


@pytest.mark.slow
def test_resume_within_an_epoch_is_bit_identical(uninterrupted, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "SAVE_SECONDS", 0.0)
    calls = 0

    class Cut(TrainingImages):
        def take(self, positions):
            nonlocal calls
            for taken in super().take(positions):
                calls += 1
                if calls == 18:  # in the third epoch: 5 batches of training, 2 of validation
                    raise RuntimeError("power cut")
                yield taken

        def subset(self, indices):
            some = super().subset(indices)
            return Cut(some.pixels, some.labels, some.reference_masks, some.ids)

    cut = Cut(FACES.pixels, FACES.labels, FACES.reference_masks)
    with pytest.raises(RuntimeError, match="power cut"):
        train(Net, cut, RECIPE, preprocess=TO, out=tmp_path)
    steps = [int(p.name) for p in (tmp_path / "seed-0" / "checkpoints").iterdir()]
    assert steps[0] % 5, steps  # a step of no epoch's end
    assert same(uninterrupted[0], train(Net, FACES, RECIPE, preprocess=TO, out=tmp_path)[0])


@pytest.mark.slow
def test_a_signal_saves_the_steps_on_the_device(uninterrupted, tmp_path):
    calls = 0

    class Stopped(TrainingImages):
        def take(self, positions):
            nonlocal calls
            for taken in super().take(positions):
                calls += 1
                if calls == 18:  # the fourth batch of the third epoch
                    signal.raise_signal(signal.SIGTERM)
                yield taken

        def subset(self, indices):
            some = super().subset(indices)
            return Stopped(some.pixels, some.labels, some.reference_masks, some.ids)

    stopped = Stopped(FACES.pixels, FACES.labels, FACES.reference_masks)
    with pytest.raises(Interrupted), signals_as_exceptions():
        train(Net, stopped, RECIPE, preprocess=TO, out=tmp_path)
    steps = [int(p.name) for p in (tmp_path / "seed-0" / "checkpoints").iterdir()]
    assert steps == [13]
    assert same(uninterrupted[0], train(Net, FACES, RECIPE, preprocess=TO, out=tmp_path)[0])


KILLED = """
import importlib.util, sys, time
spec = importlib.util.spec_from_file_location("shared", sys.argv[1])
shared = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shared)
shared.trainer.SAVE_SECONDS = 0.0
class Slow(shared.TrainingImages):
    def take(self, positions):
        for taken in super().take(positions):
            time.sleep(0.2)
            yield taken
    def subset(self, indices):
        some = super().subset(indices)
        return Slow(some.pixels, some.labels, some.reference_masks, some.ids)
faces = shared.FACES
faces = Slow(faces.pixels, faces.labels, faces.reference_masks)
shared.train(shared.Net, faces, shared.RECIPE, preprocess=shared.TO, out=sys.argv[2])
"""


@pytest.mark.slow
def test_numbers_are_bit_identical_after_a_kill_and_a_resume(uninterrupted, cache, tmp_path):
    command = [sys.executable, "-c", KILLED, __file__, str(tmp_path)]
    folder, deadline = tmp_path / "seed-0" / "checkpoints", time.monotonic() + 200
    with subprocess.Popen(command, env=os.environ | cache) as process:
        while not any(int(p.name) > 6 for p in folder.glob("[0-9]*") if p.name.isdigit()):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert len(history.read(tmp_path / "seed-0")) in (1, 2)
    assert same(uninterrupted[0], train(Net, FACES, RECIPE, preprocess=TO, out=tmp_path)[0])


@pytest.mark.slow
def test_another_training_is_refused(uninterrupted, tmp_path):
    _, out, _ = uninterrupted
    with pytest.raises(InputError, match=r"another configuration.*recipe"):
        train(Net, FACES, Recipe(CrossEntropy()), preprocess=TO, out=out)
    with pytest.raises(InputError, match=r"another configuration.*data"):
        train(Net, noise_faces(60), RECIPE, preprocess=TO, out=out)
    # A checkpoint that was copied from another training, or into that of another architecture
    shorter = Recipe(CrossEntropy(), epochs=1, validation=0.2)
    train(Net, FACES, shorter, preprocess=TO, out=tmp_path)
    mine, other = tmp_path / "seed-0" / "checkpoints", out / "seed-0" / "checkpoints"
    shutil.rmtree(mine)
    shutil.copytree(other, mine)
    with pytest.raises(InputError, match="checkpoint of another training"):
        train(Net, FACES, shorter, preprocess=TO, out=tmp_path)


def test_best_of_equals_is_the_later():
    state = TrainingState.initial(2)
    for epoch, accuracies in enumerate([(0.5, 0.9), (0.7, 0.9), (0.7, 0.8), (0.6, 0.9)]):
        state.epoch = epoch
        state.update_best(accuracies)
    assert (state.best_epoch, state.best_accuracy) == ([2, 3], [0.7, 0.9])
    frozen = Recipe(CrossEntropy(), SGD(1e-30), epochs=3, batch_size=16, validation=0.2)
    assert train(Linear, FACES, frozen, preprocess=TO)[0].best_epoch == 2


class Linear(nnx.Module):
    """Logits linear in the mean colour."""

    def __init__(self, seed):
        self.linear = nnx.Linear(3, 2, rngs=nnx.Rngs(seed))

    def __call__(self, x):
        """Return logits."""
        return self.linear(jnp.mean(x, axis=(1, 2)))


def test_a_loss_that_is_not_finite_stops_with_its_step_and_images():
    wild = Recipe(CrossEntropy(), SGD(1e38), epochs=3, batch_size=16)
    with pytest.raises(
        InputError, match=r"loss of seed 0 is (nan|inf) in step [12] \(epoch 0, images 0000"
    ):
        train(Linear, FACES, wild, preprocess=TO)


@pytest.mark.parametrize(
    ("data", "recipe", "more", "message"),
    [
        (TrainingImages(FACES.pixels, np.zeros(64, int)), RECIPE, {}, "have one class, real"),
        (
            TrainingImages(FACES.pixels, FACES.labels + 1),
            RECIPE,
            {},
            r"labels \[1, 2\] are not of the 2",
        ),
        (
            TrainingImages(FACES.pixels, FACES.labels),
            RECIPE,
            {},
            "CYBORG.* needs reference masks and no image",
        ),
        (
            TrainingImages(FACES.pixels, FACES.labels, FACES.reference_masks * 0),
            RECIPE,
            {},
            "needs reference masks and no",
        ),
        (FACES, Recipe(CrossEntropy(), batch_size=65), {}, "64 images make no batch of 65"),
        (FACES, RECIPE, {"seeds": ()}, r"seeds are \(\)"),
        (FACES, RECIPE, {"seeds": (1, 1)}, r"seeds are \(1, 1\)"),
        (
            FACES,
            RECIPE,
            {"validation": FACES.subset(np.arange(0, 64, 2))},
            "validation data have one",
        ),
        (Arrays(FACES.pixels), RECIPE, {}, "64 images have none of the classes real"),
    ],
)
def test_bad_input_stops_before_any_work(data, recipe, more, message, tmp_path):
    with pytest.raises(InputError, match=message):
        train(Net, data, recipe, preprocess=TO, out=tmp_path / "out", **more)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.iterdir())


def test_ids_in_both_parts_raise_a_warning():
    recipe = Recipe(CrossEntropy(), epochs=1, batch_size=16)
    with pytest.warns(UserWarning, match="64 ids are in training and validation"):
        train(Linear, FACES, recipe, preprocess=TO, validation=FACES)
