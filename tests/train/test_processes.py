"""Training over two processes equals that of one, resumes, and names a process that is lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from salix.cli import main
from salix.train import history
from salix.train.placement import process_rows
from salix.train.processes import join_processes
from salix.typing import InputError


@pytest.mark.parametrize(("size", "shards", "processes"), [(12, 4, 2), (9, 3, 3), (8, 8, 4)])
def test_processes_load_each_row_of_a_batch_once(size, shards, processes):
    rows = [range(size)[process_rows(size, shards, processes, k)] for k in range(processes)]
    assert [i for part in rows for i in part] == list(range(size))
    assert {len(part) for part in rows} == {size // processes}


@pytest.mark.parametrize(("size", "shards", "processes"), [(5, 4, 2), (1, 2, 2), (7, 6, 3)])
def test_a_batch_that_does_not_divide_is_loaded_by_each_process(size, shards, processes):
    for process in range(processes):
        assert process_rows(size, shards, processes, process) == slice(0, size)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coordinator": "node1"}, "--coordinator 'node1': give HOST:PORT of process 0"),
        ({"coordinator": "a.invalid:1"}, "there is no host 'a.invalid'"),
        ({"process": 2}, "--process is 2: of --processes 2, give 0 to 1"),
        ({"process": -1}, "--process is -1"),
        ({"processes": 0}, "--processes is 0"),
        ({"start_timeout": 0}, "--start-timeout is 0: give at least 1 second"),
    ],
)
def test_settings_that_cannot_work_are_refused(options, message):
    settings = {"coordinator": "127.0.0.1:12345", "processes": 2, "process": 1} | options
    with pytest.raises(InputError, match=message):
        join_processes(**settings)


def test_a_port_in_use_is_named():
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} cannot be used here"):
            join_processes(f"127.0.0.1:{port}", 2, 0)


def test_the_command_needs_all_three_numbers(tmp_path, capsys):
    common = ["train", "--arch", "small", "--data", str(tmp_path), "--out", str(tmp_path / "t")]
    assert main([*common, "--processes", "2"]) == 2
    assert "--coordinator and --process not given" in capsys.readouterr().err


NETWORK = """
import json, os, sys
import jax, numpy as np
from flax import nnx
from salix.data import Arrays, open_source
from salix.preprocess import Preprocess
from salix.train import CYBORG, Augment, CrossEntropy, Recipe, SGD, train
from salix.train.processes import join_processes

class Net(nnx.Module):
    def __init__(self, seed):
        rngs = nnx.Rngs(seed)
        self.conv = nnx.Conv(3, 4, (3, 3), strides=4, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(4, momentum=0.9, rngs=rngs)
        self.dropout = nnx.Dropout(0.2, rngs=rngs)
        self.linear = nnx.Linear(4, 2, rngs=rngs)

    def trunk(self, x):
        return jax.nn.relu(self.norm(self.conv(x)))

    def head(self, features):
        return self.linear(self.dropout(features.mean((1, 2))))

process, processes, port, data, out = sys.argv[1:]
if processes != "1":
    join_processes(f"127.0.0.1:{port}", int(processes), int(process), start_timeout=120)
common = {"preprocess": Preprocess((16, 16)), "classes": ("real", "fake")}
settings = {"optimiser": SGD(0.05), "epochs": 3, "batch_size": 4, "partial": True,
            "augment": Augment(shift=0.1, brightness=0.1), "validation": 0.25}
pixels = np.random.default_rng(0).integers(0, 256, (70, 16, 16, 3), np.uint8)
arrays = Arrays(pixels, ["real", "fake"] * 35, reference_masks=pixels[..., 0])
stacked = train(Net, arrays, Recipe(CYBORG(0.5, "true"), **settings), seeds=(0, 1),
                together=True, out=out + "/stacked", **common)
streamed = train(Net, open_source([data]), Recipe(CrossEntropy(), **settings), memory=0,
                 workers=2, out=out + "/streamed", progress=True, log=print, **common)
results = stacked + streamed
arrays = [np.asarray(a) for r in results for a in jax.tree.leaves((r.params, r.last_params))]
losses = [r["train_loss"] for result in results for r in result.history]
losses += [r["validation_loss"] for result in results for r in result.history]
np.savez(f"{out}/{process}.npz", np.array(losses), *arrays)
"""


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Twenty-six images in two folders, two of them unreadable."""
    root = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(1)
    for name in ("real", "fake"):
        (root / name).mkdir()
        for i in range(13):
            image = rng.integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(image).save(root / name / f"{i}.png")
        (root / name / "5.png").write_bytes(b"no image")
    return root


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command, **options):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "1"}
    return subprocess.Popen([sys.executable, *map(str, command)], env=environment, **pipes)


def finish(processes, timeout=240):
    """Return the output and the errors of each process, after it has ended."""
    try:
        return [process.communicate(timeout=timeout) for process in processes]
    finally:
        for process in processes:
            process.kill()


@pytest.mark.slow
def test_two_processes_train_as_one(faces, tmp_path):
    port = free_port()
    groups = {}
    for processes in (1, 2):
        out = tmp_path / str(processes)
        out.mkdir()
        groups[out] = [
            start(["-c", NETWORK, k, processes, port, faces, out]) for k in range(processes)
        ]
    texts = {out: finish(group) for out, group in groups.items()}
    for out, group in groups.items():
        assert [process.returncode for process in group] == [0] * len(group), texts[out]
    one, two, other = (np.load(tmp_path / name) for name in ("1/0.npz", "2/0.npz", "2/1.npz"))
    for name in one.files:
        np.testing.assert_allclose(one[name], two[name], atol=1e-5, rtol=1e-5)
        np.testing.assert_array_equal(two[name], other[name])
    configs = [
        json.loads((tmp_path / n / "streamed/seed-0/manifest.json").read_text())["config"]
        for n in ("1", "2")
    ]
    assert configs[0] == configs[1]
    first, second = texts[tmp_path / "2"]
    assert "epoch 3 of 3" in first[0]
    assert "2 images cannot be read" in first[1]
    assert "epoch" not in second[0]
    assert "images" not in second[1]


def start_training(faces, out, process, port, epochs=10):
    recipe = (
        f"Recipe(CrossEntropy(), SGD(0.05), epochs={epochs}, batch_size=4, validation=0.25, "
        "augment=Augment())"
    )
    numbers = ["--coordinator", f"127.0.0.1:{port}", "--processes", 2, "--process", process]
    options = ["--arch", "small", "--data", faces, "--recipe", recipe, "--out", out, *numbers]
    return start(["-m", "salix.cli", "train", *options])


def weights(out):
    """Return the bytes of all weights, and the losses, of a training."""
    files = {
        f"{path.name} {name}": array.tobytes()
        for path in sorted(out.glob("*.safetensors"))
        for name, array in load_file(path).items()
    }
    losses = [(r["train_loss"], r["validation_loss"]) for r in history.read(out / "seed-0")]
    return files, losses


@pytest.mark.slow
def test_a_lost_process_ends_the_other_and_both_resume_bit_identically(faces, tmp_path):
    port = free_port()
    group = [start_training(faces, tmp_path / "a", k, port) for k in (0, 1)]
    deadline = time.monotonic() + 200
    while not (tmp_path / "a/seed-0/epoch-000002.parquet").exists():  # of ten
        assert time.monotonic() < deadline
        assert group[0].poll() is None, group[0].communicate()
        time.sleep(0.02)
    group[1].send_signal(signal.SIGKILL)
    (_, text), _ = finish(group, 60)
    assert group[0].returncode == 1
    assert "process 0 of 2 has lost another one" in text.splitlines()[-1]
    assert "Traceback" not in text
    resumed = [start_training(faces, tmp_path / "a", k, port) for k in (0, 1)]
    (_, text), _ = finish(resumed)
    assert [process.returncode for process in resumed] == [0, 0], text
    assert "of 10 epochs are done" in text
    port = free_port()
    undisturbed = [start_training(faces, tmp_path / "b", k, port) for k in (0, 1)]
    finish(undisturbed)
    assert len(list((tmp_path / "b").glob("*.safetensors"))) == 2
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
